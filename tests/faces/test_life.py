"""A client from connecting to closing: its time-outs, its errors, its figures, and where it may be used."""

from __future__ import annotations

import socket
import threading

import msgpack
import pytest

import kv_client as kv
from tests.faces.servers import free_port


async def test_a_client_is_open_inside_its_block_only(face):
    client = face.connect()
    with pytest.raises(kv.ClientClosed) as caught:
        await client.get("a")
    assert (caught.value.code, caught.value.maybe_applied) == ("CLOSED", False)
    assert client.statistics().connected is client.connected is False
    async with client:
        assert await client.ping() == "PONG"
        assert (client.connected, client.open_calls) == (True, 0)
        with pytest.raises(RuntimeError, match="a client is opened once"):
            async with client:
                pass
        assert await client.ping() == "PONG"
    for use in (client.get, client.lock, client.watch, client.incr, client.blpop):
        with pytest.raises(kv.ClientClosed, match="use it inside"):
            used = use("a")
            if hasattr(used, "__aenter__"):
                async with used:
                    pass
            else:
                await used
    with pytest.raises(RuntimeError, match="a client is opened once"):
        async with client:
            pass
    for used in (client.batch(), client.transaction()):
        with pytest.raises(kv.ClientClosed):
            async with used as calls:
                calls.get("a")
    assert client.statistics().open_calls == 0


async def test_bad_options_are_told_at_once(face):
    for options in ({"timeout": 0}, {"timeout": -1}, {"connect_timeout": 0}):
        with pytest.raises(kv.InvalidArgument, match="seconds above 0"):
            face.connect(**options)
    for url in ("http://x", "kv://host/a/b", "kv://host:port/x", "kv+unix://", "kv://me:secret@host:x"):
        with pytest.raises(kv.InvalidArgument):
            face.connect(url)


async def test_no_server_is_told_with_its_place_and_the_tries(face):
    port = free_port()
    async with face.within(10):
        with pytest.raises(kv.ConnectionLost) as caught:
            async with face.connect(f"kv://127.0.0.1:{port}", connect_timeout=0.3):
                pass
    error = caught.value
    assert (error.code, error.retryable, error.maybe_applied) == ("CONNECTION_LOST", True, False)
    assert f"kv://127.0.0.1:{port}: not connected after " in str(error)
    assert "tries; the last: " in str(error)
    assert "refused" in str(error) or "111" in str(error)


async def test_a_server_that_says_nothing_is_told_too(face):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with face.within(10):
            with pytest.raises(kv.ConnectionLost) as caught:
                async with face.connect(f"kv://127.0.0.1:{port}", connect_timeout=0.2):
                    pass
    place = f"kv://127.0.0.1:{port}"
    assert str(caught.value) == f"{place}: not connected after 1 try; the last: no answer within 0.2 s"


async def test_who_speaks_otherwise_is_told_too(face):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(kv.ConnectionLost, match="not connected after"):
            async with face.connect(f"kv://127.0.0.1:{port}", connect_timeout=0.2):
                pass
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


async def test_the_bodys_exception_leaves_the_client_bare(face):
    with pytest.raises(LookupError) as caught:
        async with face.connect() as client:
            await client.ping()
            raise LookupError("mine")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_a_call_without_an_answer_times_out_and_says_what_may_be(face, between):
    async with face.connect(face.through(between), timeout=0.1) as client, face.connect() as other:
        await client.ping()
        between.hold()
        with pytest.raises(kv.CallTimeout) as caught:
            await client.get("a")
        error = caught.value
        assert (error.code, error.retryable, error.maybe_applied) == ("TIMEOUT", True, False)
        assert str(error) == "GET had no answer in time"
        with pytest.raises(kv.CallTimeout) as caught:
            await client.set("a", 1)
        assert caught.value.maybe_applied is True
        async with client.batch() as batch:
            read, written = batch.get("a"), batch.incr("n")
        for pending, maybe_applied in ((read, False), (written, True)):
            with pytest.raises(kv.CallTimeout) as caught:
                pending.result()
            assert caught.value.maybe_applied is maybe_applied
        between.release()
        assert await client.get("a") == await other.get("a") == 1
        assert await client.get("n") == 1
        assert client.statistics().connections == 1


async def test_a_pop_that_times_out_here_has_taken_nothing(face, between):
    async with face.connect(face.through(between), timeout=0.1) as client, face.connect() as other:
        await client.ping()
        between.hold()
        await other.rpush("q", 1)
        async with face.tasks() as tasks:
            popping = tasks.start(client.lpop, "q")
            await face.until(lambda: between.seen("CANCEL") == 1)
            between.release()
            assert await popping.result() == 1
        assert await other.llen("q") == 0


async def test_a_server_that_hangs_up_is_told_and_others_go_on(face, between):
    between.refuse()
    async with face.connect(connect_timeout=5) as other:
        await other.set("a", 1)
        with pytest.raises(kv.ConnectionLost, match="not connected after"):
            async with face.connect(face.through(between), connect_timeout=0.2):
                pass


async def test_calls_without_a_connection_time_out_as_connection_lost(face, between):
    async with face.connect(face.through(between), timeout=0.2) as client:
        await client.ping()
        between.refuse()
        between.cut()
        with pytest.raises(kv.ConnectionLost):
            await client.get("a")
        with pytest.raises(kv.ConnectionLost) as caught:
            await client.set("a", 1)
        assert caught.value.maybe_applied is False
        assert f"SET: kv://127.0.0.1:{between.port}: not connected after " in str(caught.value)
        between.refuse(False)

        async def back():
            try:
                return await client.set("a", 2)
            except kv.KvError:
                return False

        await face.until(back)
        assert client.statistics().connections == 2


async def test_the_figures_of_a_client(face):
    async with face.connect(name="figures") as client:
        figures = client.statistics()
        assert (figures.connected, figures.connections, figures.open_calls, figures.held_locks) == (True, 1, 0, 0)
        assert figures.place == f"kv://127.0.0.1:{face.port}"
        assert figures.server.startswith("kv")
        assert figures.session == await client.client_id()
        sent, answered = client.statistics().sent, client.statistics().answered
        async with client.lock("a"), client.watch("a"):
            figures = client.statistics()
            assert (figures.held_locks, figures.waiting_calls, figures.open_calls) == (1, 1, 1)
        figures = client.statistics()
        assert (figures.held_locks, figures.waiting_calls, figures.open_calls, figures.unsent_calls) == (0, 0, 0, 0)
        assert figures.sent > sent
        assert figures.answered > answered
        assert figures.repeated == 0
        assert await client.client_name() == "figures"


async def test_a_crowded_client_lets_its_callers_in_one_after_the_other(face):
    tasks_at_once, calls = (40, 225) if face.blocking else (9_000, 1)
    open_calls = []

    async def count(client):
        for _ in range(calls):
            await client.incr("n")
            open_calls.append(len(client._link.calls.open))

    async with face.connect() as client:
        async with face.tasks() as tasks:
            for _ in range(tasks_at_once):
                tasks.start(count, client)
            open_calls.append(client.statistics().open_calls)
        assert await client.get("n") == 9_000
        assert max(open_calls) <= 8_192
        assert client.statistics().open_calls == 0


async def test_large_calls_crowd_a_client_too(face):
    blob = b"x" * (1 << 20)

    async def write(client, number):
        await client.set(f"k{number}", blob)

    async with face.connect() as client:
        client._link.calls.size += 60 << 20  # as if somebody else had asked that much
        async with face.tasks() as tasks:
            for number in range(12):
                tasks.start(write, client, number)
        client._link.calls.size -= 60 << 20
        assert [await client.strlen(f"k{number}") for number in range(12)] == [len(blob)] * 12
        await client.flush()
        assert client._link.calls.size == 0


async def test_a_client_by_a_socket_of_ones_own(face):
    made = []

    async def dial():
        made.append(socket.create_connection(("127.0.0.1", face.port)))
        made[0].setblocking(False)
        return made[0]

    async with face.connect(dial=dial) as client:
        assert await client.ping() == "PONG"
    assert len(made) == 1
    assert made[0].fileno() == -1


async def test_a_dial_that_fails_is_told_and_tried_again(face):
    tries = []

    async def dial():
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError(111, "nobody there")
        made = socket.create_connection(("127.0.0.1", face.port))
        made.setblocking(False)
        return made

    async with face.connect(dial=dial) as client:
        assert await client.ping() == "PONG"
    assert len(tries) == 3

    async def crash():
        raise ZeroDivisionError("dialled")

    with pytest.raises(ZeroDivisionError, match="dialled"):
        async with face.connect(dial=crash):
            pass


async def test_a_connection_that_ends_with_its_greeting_is_made_again(face):
    welcome = {
        "server": "kv", "protocol": [1, 1], "epoch": 7, "revision": 1, "clock_ms": 1, "now_ms": 1, "session": b"s" * 16,
        "session_id": 3, "resumed": False, "namespace": "0", "limits": {"frame": 1 << 26},
    }  # fmt: skip
    body = msgpack.packb([1, 0, welcome])
    dials, ends = [], []

    async def dial():
        dials.append(1)
        if len(dials) < 3:
            ours, theirs = socket.socketpair()
            ours.sendall(len(body).to_bytes(4, "big") + body)
            ours.shutdown(socket.SHUT_WR)
            ends.append(ours)
        else:
            theirs = socket.create_connection(("127.0.0.1", face.port))
        theirs.setblocking(False)
        return theirs

    async with face.within(20):
        async with face.connect(dial=dial) as client:
            assert await client.get("n") is None  # what is only read is asked again, what is written might not be
            assert await client.incr("n") == 1
    for end in ends:
        end.close()
    assert len(dials) == 3


async def test_a_crash_of_the_background_ends_the_block_with_it(face):
    """A bug of the client itself must not look like a slow server."""

    def crash(*_):
        raise ZeroDivisionError("a bug")

    with pytest.raises((ZeroDivisionError, kv.InternalError), match="a bug"):
        async with face.connect() as client:
            client._link.session.receive_data = crash
            async with face.within(10):
                await client.get("a")
                await face.sleep(20)


async def test_the_names_of_all_faces_are_the_same(face):
    names = set(face.module.__all__)
    assert names == set(kv.__all__)
    for name in names - {"Client", "connect"}:
        ours, theirs = getattr(face.module, name), getattr(kv, name)
        assert ours is theirs or face.blocking or name in {"Keyspace"}, name

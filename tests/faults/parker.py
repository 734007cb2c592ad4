"""A program whose calls wait until somebody kills it: PORT KEY..., at each key a pop over each protocol."""

import sys

import trio

import kv_client


async def main(port: int, keys: list[str]) -> None:
    streams = []
    async with kv_client.connect(f"kv://127.0.0.1:{port}/0") as client, trio.open_nursery() as nursery:
        for key in keys:
            streams.append(await trio.open_tcp_stream("127.0.0.1", port))
            await streams[-1].send_all(f"BLPOP {key} 0\r\n".encode())
            nursery.start_soon(client.blpop, key)


trio.run(main, int(sys.argv[1]), sys.argv[2:])

"""A program that holds locks and writes under them, round after round; the test stops and wakes it."""

import sys

import trio

import kv_client
from kv_protocol.errors import KvError, LockLost


async def write_until_lost(client: kv_client.Client, name: str) -> str:
    """Hold the lock *name* and write under it until it is lost; say how that was noticed."""
    refused = 0
    try:
        async with client.lock(name, ttl=0.25) as held:
            print("holding", held.token, flush=True)
            while True:
                try:
                    await client.set(f"{name}:value", held.token, fence=held)
                except KvError as error:
                    refused += 1
                    print("refused", type(error).__name__, flush=True)
                await trio.lowlevel.checkpoint()
    except LockLost:
        return f"lost {refused}"


async def main(url: str, name: str, rounds: int) -> None:
    async with kv_client.connect(url) as client:
        for _ in range(rounds):
            print(await write_until_lost(client, name), flush=True)


trio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]))

"""A program that stands for an election, with keys and a place of a semaphore that go with it; the test ends it."""

import sys

import trio

import kv_client


async def main(url: str, name: str) -> None:
    async with (
        kv_client.connect(url, name=name) as client,
        client.lease(1.5) as lease,
        client.semaphore("places", 2, 1.5),
    ):
        for number in range(20):
            await client.set(f"{name}:{number}", number, lease=lease)
        async with client.election("leader", ttl=1.5).lead(name):
            print("leads", flush=True)
            await trio.sleep_forever()


trio.run(main, sys.argv[1], sys.argv[2])

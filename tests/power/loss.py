#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing that was flushed is lost when the power goes. usage: loss.py DEVFD NVME VOLATILE

The controller of `devfd serve` has its image on a disk that forgets (volatile.c). A driver writes
and is told that it is durable, by a flush or for each command; at any moment the server is killed.
What the driver was told must be there afterwards. Then the same once more on a disk that is deaf
to fdatasync: as if the controller did not call it, which this test must notice.
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent / "user"))
import wire  # noqa: E402, beside the tests of vfio-user

DEVFD, NVME, VOLATILE = sys.argv[1:]
BLOCKS = 2048
BLOCK_SIZE = 512
SEED = 2011
LIVES = 12
DEAF_LIVES = 3


class Disk:
    """An image, and for each block the seeds of what it may hold."""

    def __init__(self, folder, deaf):
        self.image = os.path.join(folder, "deaf.img" if deaf else "disk.img")
        pathlib.Path(self.image).write_bytes(bytes(BLOCKS * BLOCK_SIZE))
        self.durable = {}  # block: seed
        self.env = {"LD_PRELOAD": VOLATILE, "VOLATILE_DISK": self.image,
                    **({"VOLATILE_DEAF": "1"} if deaf else {})}

    def serve(self):
        return wire.Server(DEVFD, f"model:nvme,image={self.image}", env=self.env)

    def wrote(self, write):
        _, first, count, seed = write
        self.durable.update(dict.fromkeys(range(first, first + count), seed))

    def forget(self, write):
        """A write that was under way: what is there now is one or the other."""
        _, first, count, _ = write
        for block in range(first, first + count):
            self.durable.pop(block, None)

    def runs(self):
        """What is durable, as (first, count, seed)."""
        first = last = None
        for block, seed in [*sorted(self.durable.items()), (None, None)]:
            if last is not None and (block, seed) != (last + 1, self.durable[first]):
                yield first, last + 1 - first, self.durable[first]
                first = block
            first = block if first is None else first
            last = block


def driver(server, *words):
    return subprocess.Popen([NVME, "user:" + server.path, *map(str, words)],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def is_done(process):
    process.communicate(timeout=wire.LONG)
    return process.returncode == 0


def writes(rng):
    """How to write, where and what, without end."""
    while True:
        first = rng.randrange(BLOCKS - 1)
        how = rng.choice([["write"], ["--fua", "write"]])
        yield how, first, rng.randint(1, min(1000, BLOCKS - first)), rng.getrandbits(32)


def live(disk, rng):
    """Some writes, and one on which the power goes."""
    server = disk.serve()
    todo = writes(rng)
    for _ in range(rng.randrange(3)):
        write = next(todo)
        assert is_done(driver(server, *write[0], *write[1:]))
        disk.wrote(write)
    write = next(todo)
    last = driver(server, *write[0], *write[1:])
    time.sleep(rng.random() * 0.02)
    server.cut()
    if is_done(last):
        disk.wrote(write)
    else:
        disk.forget(write)


def lost(disk):
    """What should be durable and is not there."""
    with disk.serve() as server:
        return [run for run in disk.runs() if not is_done(driver(server, "verify", *run))]


def main():
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(folder, False)
        for number in range(LIVES):
            live(disk, rng)
            gone = lost(disk)
            assert not gone, f"life {number}: (first, count, seed) are lost: {gone}"
        assert len(disk.durable) > BLOCKS // 4, "too little was written to tell"
        deaf = Disk(folder, True)
        for _ in range(DEAF_LIVES):
            live(deaf, rng)
        assert lost(deaf), "a disk that is deaf to fdatasync was not noticed"


main()

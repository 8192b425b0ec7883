#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""REGION_IO_FDS: an eventfd stands for a write to a register. usage: bells.py DEVFD"""
import mmap
import os
import struct
import sys

import wire

DEVFD, = sys.argv[1:]
SRC, DST, COUNT, COMMAND = 0x80, 0x88, 0x90, 0x98
BUFFER = 0x40000


def io_fds(argsz, flags=0, index=0, count=0):
    return wire.message(wire.IO_FDS, struct.pack("<IIII", argsz, flags, index, count))


def header(reply):
    assert wire.error(reply) == 0, wire.error(reply)
    return struct.unpack_from("<IIII", reply, 16)


def rules(client):
    """Who has no room learns how much is needed, and gets no fds."""
    for argsz in 16, 95:
        reply = client.ask(io_fds(argsz))
        assert header(reply) == (96, 0, 0, 2) and len(reply) == 32 and not client.fds
    reply = client.ask(io_fds(4096, index=7))
    assert header(reply) == (16, 0, 7, 0) and len(reply) == 32 and not client.fds
    for bad in (io_fds(15), io_fds(96, flags=1), io_fds(96, count=1), io_fds(96, index=6),
                io_fds(96, index=77), wire.message(wire.IO_FDS, b"\0" * 12)):
        assert wire.error(client.ask(bad)) == 22 and not client.fds


def offered(client):
    reply = client.ask(io_fds(96))
    assert header(reply) == (96, 0, 0, 2) and len(reply) == 112
    found = {}
    for n in range(2):
        offset, size, index, kind, flags, _, value = struct.unpack_from("<QQIIIIQ", reply, 32 + 40 * n)
        assert (offset, size, kind, flags) == (COMMAND, 8, 0, 1)
        found[value] = client.fds[index]
    assert sorted(found) == [5, 7]
    return found


def put(register, value, **kw):
    return wire.write(0, register, struct.pack("<Q", value), **kw)


def wait_for(client, done):
    """The command register tells what was done last."""
    wire.until(lambda: client.ask(wire.read(0, COMMAND, 8))[32] == done)


def act(client, found):
    """The device does its DMA, with the registers that were sent just before."""
    fd = os.memfd_create("memory", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 8192)
    memory = mmap.mmap(fd, 8192)
    assert wire.error(client.ask(wire.dma_map(0x10000, 8192), [fd])) == 0
    assert wire.error(client.ask(wire.write(7, 4, b"\6\0"))) == 0
    for number in range(1, 30):
        memory[:4096] = bytes([number]) * 4096
        memory[4096:] = bytes(4096)
        for value, src, dst in (5, 0x10000, BUFFER), (7, BUFFER, 0x11000):
            # Not waited for: the eventfd must not overtake them.
            client.send(b"".join(put(*pair, flags=0x10)
                                 for pair in ((SRC, src), (DST, dst), (COUNT, 4096))))
            os.write(found[value], struct.pack("<Q", 1))
            wait_for(client, value & ~1)
        assert memory[4096:] == memory[:4096], number
    # A reset forgets what was rung before.
    assert wire.error(client.ask(wire.message(wire.RESET))) == 0
    memory.close()
    os.close(fd)


for options in [], ["--poll"]:
    with wire.Server(DEVFD, "model:edu,latency=0", *options) as server:
        before = server.fds()
        for _ in range(2):
            client = wire.Client(server.path)
            rules(client)
            act(client, offered(client))
            kept = [os.dup(fd) for fd in client.fds]
            client.close()
            # Who keeps one has nothing in his hand any more.
            other = wire.Client(server.path)
            for fd in kept:
                os.write(fd, struct.pack("<Q", 1))
                os.close(fd)
            assert other.ask(wire.read(0, COMMAND, 8))[32:] == bytes(8)
            other.close()
        server.has_only(before)
    with wire.Server(DEVFD, "model:edu", *options) as server:
        poor = wire.Client(server.path, agree=False)
        poor.ask(wire.version('{"capabilities":{"max_msg_fds":1}}'))
        assert header(poor.ask(io_fds(96))) == (56, 0, 0, 1) and len(poor.fds) == 1
        poor.close()

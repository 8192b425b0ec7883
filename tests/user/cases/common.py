# SPDX-License-Identifier: MIT
"""What the hostile cases share. A case is a function of the path of a server of model:edu."""
import fcntl
import os
import socket
import struct

import wire
from wire import Closed, dma_map, error, message, read, write

EINVAL, EEXIST, ENOSPC, ENOSYS, EBUSY = 22, 17, 28, 38, 16
TOP = 1 << 64
BIG = 0xffffffff
HELLO = wire.version()
QUERY = read(7, 0, 4)
ANSWER = bytes.fromhex("3412e811")
UNMAP_ALL = message(wire.UNMAP, struct.pack("<IIQQ", 24, 2, 0, 0))
INSIDE = 0x40000  # the buffer of the device

CASES = []
OPEN = set()


class Client(wire.Client):
    """One that does not outlive its case, however that ends."""

    def __init__(self, path, agree=True):
        OPEN.add(self)
        super().__init__(path, agree)

    def close(self):
        OPEN.discard(self)
        super().close()


def close_all():
    for client in list(OPEN):
        client.close()


def case(source):
    """Where it comes from: a section of the protocol's notes, or a bug of another implementation."""
    def add(function):
        CASES.append((function.__name__, source, function))
        return function
    return add


def memfd(size=1 << 20, seals=0):
    fd = os.memfd_create("m", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(fd, size)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def unmap(iova, size, flags=0):
    return message(wire.UNMAP, struct.pack("<IIQQ", 24, flags, iova, size))


def ok(reply):
    assert not error(reply), reply.hex()
    return reply


def works(client):
    assert client.ask(QUERY)[32:] == ANSWER


def refused(client, data, number=EINVAL, fds=()):
    """An error, and the stream is still in step."""
    reply = client.ask(data, fds)
    assert error(reply) == number and len(reply) == 16, reply.hex()
    works(client)


def ends(path, data, agree=True, fds=()):
    """The server hangs up on whoever sends that."""
    client = Client(path, agree)
    try:
        client.send(data, fds)
        while True:
            client.receive()
    except (Closed, BrokenPipeError):
        pass
    client.close()


def drain(client, count):
    for _ in range(count):
        client.receive()


def u64(value):
    return struct.pack("<Q", value)


def start_dma(client, src, dst, count, command):
    """The DMA engine: 1 from memory into the device, 3 back."""
    for register, value in (0x80, src), (0x88, dst), (0x90, count), (0x98, command):
        ok(client.ask(write(0, register, u64(value))))


def dma(client, src, dst, count, command):
    start_dma(client, src, dst, count, command)
    for _ in range(2000):
        if not client.ask(read(0, 0x98, 8))[32] & 1:
            return
    raise AssertionError("the DMA does not end")


def bus_master(client):
    ok(client.ask(write(7, 4, b"\6\0")))


def good_client(path):
    """A whole job: identify, compute, copy through memory, be interrupted."""
    client = Client(path)
    works(client)
    assert client.ask(read(0, 0, 4))[32:] == bytes.fromhex("ed000001")
    bus_master(client)
    fd, event = memfd(0x2000), os.eventfd(0, os.EFD_NONBLOCK)
    os.pwrite(fd, b"factory" * 8, 0x100)
    ok(client.ask(dma_map(0x1000, 0x2000), [fd]))
    ok(client.ask(wire.set_irqs(0x24, 1, 0, 1), [event]))
    dma(client, 0x1100, INSIDE, 56, 1)
    dma(client, INSIDE, 0x2000, 56, 7)
    assert os.pread(fd, 56, 0x1000) == b"factory" * 8
    assert os.read(event, 8) == u64(1)
    ok(client.ask(write(0, 0x64, b"\0\1\0\0")))
    client.close()
    os.close(fd)
    os.close(event)


__all__ = [name for name in dir() if not name.startswith("_")]

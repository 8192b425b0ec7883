#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""DMA by message, with the client in the test's hands. usage: dma.py DEVFD"""
import errno
import os
import struct
import subprocess
import sys

import wire
from wire import dma_map, error, message, read, set_irqs, write

DEVFD, = sys.argv[1:]
INSIDE, COUNT = 0x40000, 4096
ECANCELED = 125


def u64(value):
    return struct.pack("<Q", value)


def start(client, src, dst, command, count=COUNT):
    """Program the DMA engine; the answers to all of it come before the device asks for anything."""
    for register, value in (0x80, src), (0x88, dst), (0x90, count), (0x98, command):
        reply = client.ask(write(0, register, u64(value)))
        assert reply[2] == wire.WRITE and not error(reply), reply.hex()


def request(client, command, iova, count):
    """The device's request, whole."""
    m = client.receive()
    number, got, size, flags, _ = struct.unpack_from("<HHIII", m)
    assert got == command and flags == 0 and struct.unpack_from("<QQ", m, 16) == (iova, count), m.hex()
    assert size == len(m) == 32 + (count if command == wire.DMA_WRITE else 0)
    return number, m[32:]


def answer(client, number, command, iova, count, data=b"", err=0):
    if err:
        client.send(message(command, number=number, flags=0x21, error=err))
    else:
        client.send(message(command, struct.pack("<QQ", iova, count) + data, number, 1))


def running(client):
    return client.ask(read(0, 0x98, 8))[32] & 1


def wait(client):
    wire.until(lambda: not running(client))


def connect(server, **caps):
    client = wire.Client(server.path, False)
    text = ",".join(f'"{k}":{v}' for k, v in caps.items()) or '"max_msg_fds":8'
    client.ask(wire.version('{"capabilities":{' + text + "}}" + " " * 60))
    client.ask(write(7, 4, b"\6\0"))
    assert not error(client.ask(dma_map(0x1000, 0x4000)))
    return client


def there_and_back(client, piece=COUNT):
    data = os.urandom(COUNT)
    start(client, 0x1000, INSIDE, 1)
    for at in range(0, COUNT, piece):
        number, _ = request(client, wire.DMA_READ, 0x1000 + at, piece)
        answer(client, number, wire.DMA_READ, 0x1000 + at, piece, data[at:at + piece])
    wait(client)
    start(client, INSIDE, 0x2000, 3)
    back = b""
    for at in range(0, COUNT, piece):
        number, got = request(client, wire.DMA_WRITE, 0x2000 + at, piece)
        back += got
        answer(client, number, wire.DMA_WRITE, 0x2000 + at, piece)
    wait(client)
    assert back == data


def served_meanwhile(client):
    """The device waits for its answer; the client does not."""
    start(client, 0x1000, INSIDE, 1)
    number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
    for _ in range(100):
        assert running(client)
    # The two directions number their messages on their own.
    assert client.ask(message(wire.READ, read(7, 0, 4)[16:], number))[32:] == b"\x34\x12\xe8\x11"
    answer(client, number, wire.DMA_READ, 0x1000, COUNT, bytes(COUNT))
    wait(client)


def refused_by_the_client(client):
    for err in 0, 14, 19, 4096, 0xffffffff:
        start(client, 0x1000, INSIDE, 1)
        number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
        client.send(message(wire.DMA_READ, b"trailing", number=number, flags=0x21, error=err))
        wait(client)


def answers_that_lie(client):
    """The transfer fails, the stream does not. The last is what QEMU before 11 sends."""
    for body in (b"", bytes(8), struct.pack("<QQ", 0x1000, COUNT), struct.pack("<QQ", 0x1000, 8) + bytes(8),
                 struct.pack("<QQ", 0x1000, 1 << 40) + bytes(COUNT),
                 struct.pack("<QIIQ", 0x1000, COUNT, 0x41424344, 0) + bytes(COUNT - 8)):
        start(client, 0x1000, INSIDE, 1)
        number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
        client.send(message(wire.DMA_READ, body, number, 1))
        wait(client)


def short_write_answers(client):
    for body in b"", bytes(12), bytes(16):
        start(client, INSIDE, 0x1000, 3)
        number, _ = request(client, wire.DMA_WRITE, 0x1000, COUNT)
        client.send(message(wire.DMA_WRITE, body, number, 1))
        wait(client)


def unmapped_meanwhile(client):
    """The unmap is answered at once, the late answer is dropped."""
    start(client, 0x1000, INSIDE, 1)
    number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
    assert not error(client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 0, 0x1000, 0x4000))))
    assert not running(client)
    assert not error(client.ask(dma_map(0x1000, 0x4000)))
    answer(client, number, wire.DMA_READ, 0x1000, COUNT, b"x" * COUNT)
    there_and_back(client)


def reset_meanwhile(client):
    start(client, 0x1000, INSIDE, 1)
    number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
    assert not error(client.ask(message(wire.RESET)))
    answer(client, number, wire.DMA_READ, 0x1000, COUNT, b"x" * COUNT)
    client.ask(write(7, 4, b"\6\0"))
    there_and_back(client)


def unknown_answer(client):
    client.send(message(wire.DMA_READ, bytes(16), 4711, 1))
    assert client.closed()


def twice(client):
    start(client, 0x1000, INSIDE, 1)
    number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
    for _ in range(2):
        answer(client, number, wire.DMA_READ, 0x1000, COUNT, bytes(COUNT))
    assert client.closed()


def wrong_command(client):
    start(client, 0x1000, INSIDE, 1)
    number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
    answer(client, number, wire.DMA_WRITE, 0x1000, COUNT)
    assert client.closed()


def gone_meanwhile(client):
    start(client, 0x1000, INSIDE, 1)
    request(client, wire.DMA_READ, 0x1000, COUNT)


def the_device_dies():
    """Its server is killed with a request under way: every call is an error, and so is the answer
    nobody's."""
    near = wire.Server(DEVFD, "model:edu,latency=0")
    with wire.Server(DEVFD, "user:" + near.path, stderr=subprocess.DEVNULL) as far:
        client = connect(far)
        start(client, 0x1000, INSIDE, 1)
        number, _ = request(client, wire.DMA_READ, 0x1000, COUNT)
        near.cut()
        answer(client, number, wire.DMA_READ, 0x1000, COUNT, bytes(COUNT))
        for _ in range(2):
            assert error(client.ask(read(0, 0x98, 8))) == errno.ENODEV
        client.close()


def the_middle_dies():
    """The device is clean again for the next, and the request is forgotten."""
    with wire.Server(DEVFD, "model:edu,latency=0") as near:
        far = wire.Server(DEVFD, "user:" + near.path)
        client = connect(far)
        start(client, 0x1000, INSIDE, 1)
        request(client, wire.DMA_READ, 0x1000, COUNT)
        far.cut()
        assert client.closed()
        client.close()
        client = connect(near)
        assert not running(client)
        there_and_back(client)
        client.close()


def rights(client):
    """What may only be read is not written, and the client is not even asked."""
    client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 2, 0, 0)))
    assert not error(client.ask(dma_map(0x1000, 0x1000, 1)))
    start(client, INSIDE, 0x1000, 3)
    wait(client)


def all_cases(server):
    for case in (there_and_back, served_meanwhile, refused_by_the_client, answers_that_lie,
                 short_write_answers, unmapped_meanwhile, reset_meanwhile, unknown_answer, twice,
                 wrong_command, gone_meanwhile, rights):
        client = connect(server)
        case(client)
        client.close()
    for piece in 1024, 64:
        client = connect(server, max_data_xfer_size=piece)
        there_and_back(client, piece)
        client.close()


def main():
    with wire.Server(DEVFD, "model:edu,latency=0") as near:
        all_cases(near)
    # A server of a served device asks its client for what the other one asks it for.
    for way in "", ",ring=off", ",ring=off,twin=off":
        with wire.Server(DEVFD, "model:edu,latency=0") as near, \
                wire.Server(DEVFD, "user:" + near.path + way) as far:
            all_cases(far)
    the_device_dies()
    the_middle_dies()


main()

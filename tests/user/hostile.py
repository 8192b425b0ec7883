#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a client may do to a server, and must not get away with. usage: hostile.py DEVFD"""
import array
import os
import socket
import struct
import sys
import time

import wire
from wire import Client, Closed, dma_map, error, message, read, set_irqs, version, write

EINVAL, EEXIST, ENOSYS = 22, 17, 38
HELLO = version()
QUERY = read(7, 0, 4)
ANSWER = bytes.fromhex("3412e811")


def memfd(size=1 << 20, seal=False):
    fd = os.memfd_create("m", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(fd, size)
    return fd


def works(client):
    assert client.ask(QUERY)[32:] == ANSWER


def refused(client, data, number=EINVAL, fds=()):
    """An error, and the stream is still in step."""
    reply = client.ask(data, fds)
    assert error(reply) == number and len(reply) == 16, reply.hex()
    works(client)


def ends(path, data, agree=True, fds=()):
    client = Client(path, agree)
    try:
        client.send(data, fds)
        while True:
            client.receive()
    except (Closed, BrokenPipeError):
        pass
    client.close()


# ---- framing ----

def split_everywhere(path):
    for cut in range(1, len(HELLO)):
        client = Client(path, False)
        client.send(HELLO[:cut])
        client.send(HELLO[cut:] + QUERY)
        client.receive()
        assert client.receive()[32:] == ANSWER
        client.close()
    client = Client(path)
    data = write(7, 4, b"\7\0") + QUERY
    for cut in range(1, len(data)):
        client.send(data[:cut])
        time.sleep(0)
        client.send(data[cut:])
        assert len(client.receive()) == 32 and client.receive()[32:] == ANSWER
    client.close()


def glued(path):
    client = Client(path, False)
    client.send(HELLO + QUERY * 1000)
    client.receive()
    for _ in range(1000):
        assert client.receive()[32:] == ANSWER
    client.close()


def glued_after_fds(path):
    client = Client(path)
    fd = memfd()
    client.send(dma_map(0x1000, 0x1000) + QUERY * 3, [fd])
    assert not error(client.receive())
    for _ in range(3):
        assert client.receive()[32:] == ANSWER
    os.close(fd)
    client.close()


def sizes_that_lie(path):
    for size in 0, 1, 15, 1 << 21, 0xffffffff:
        ends(path, message(wire.INFO, bytes(16), size=size))
    for size in 15, 70000, 0xffffffff:
        ends(path, message(wire.VERSION, bytes(4), size=size), agree=False)


def wrong_types(path):
    for flags in 1, 2, 15, 0x21:
        ends(path, message(wire.INFO, bytes(16), flags=flags))


def reserved_flags(path):
    client = Client(path)
    assert client.ask(message(wire.READ, QUERY[16:], flags=0xffffffc0))[32:] == ANSWER
    client.close()


def unknown_commands(path):
    client = Client(path)
    for command in 0, 14, 17, 18, 19, 99, 65535:
        refused(client, message(command, bytes(4096)), ENOSYS)
    for command in wire.DMA_READ, wire.DMA_WRITE:
        refused(client, message(command, bytes(16)), ENOSYS)
    client.send(message(99, bytes(4096), flags=0x10))
    works(client)
    client.close()
    ends(path, message(99) * 100)


def no_reply(path):
    client = Client(path)
    for command in range(2, 17):
        if command != wire.RESET:
            client.send(message(command, bytes(64), flags=0x10))
    works(client)
    client.close()


def short_payloads(path):
    client = Client(path)
    need = {wire.MAP: 32, wire.UNMAP: 24, wire.INFO: 16, wire.REGION: 32, wire.IO_FDS: 16,
            wire.IRQ: 16, wire.SET_IRQS: 20, wire.READ: 16, wire.WRITE: 16, wire.MULTI: 8,
            wire.FEATURE: 8}
    for command, size in need.items():
        for length in {0, 1, size // 2, size - 1}:
            refused(client, message(command, bytes(length)))
    client.close()


def half_a_message_then_gone(path):
    for data in HELLO[:7], HELLO[:20], HELLO + QUERY[:5], HELLO + write(0, 4, bytes(1000))[:500]:
        client = Client(path, False)
        client.send(data)
        client.close()


def half_close(path):
    client = Client(path)
    client.send(QUERY)
    client.sock.shutdown(socket.SHUT_WR)
    try:
        assert client.receive()[32:] == ANSWER
    except Closed:
        pass
    client.close()


# ---- the version ----

def versions(path):
    bad = ['{"capabilities":[]}', '{"capabilities":{"max_msg_fds":-1}}', "[]", "1", '"x"', "{", "{}}",
           '{"capabilities":{"max_msg_fds":1e999}}', '{"capabilities":{"max_data_xfer_size":0}}',
           '{"capabilities":{"max_data_xfer_size":"1"}}', '{"capabilities":{"max_msg_fds":1.5}}',
           '{"capabilities":{"pgsizes":null}}', '{"capabilities":{"twin_socket":true}}',
           '{"capabilities":{"write_multiple":1}}', '{"capabilities":{"migration":[]}}',
           "{}\0", "{}\0{}", "\0", "", "nul", '{"a":' * 20 + "1" + "}" * 20,
           "[" * 30000, '{"capabilities":{}} x']
    for text in bad:
        client = Client(path, False)
        assert error(client.ask(version(text))) == EINVAL, text
        assert client.closed(), text
        client.close()
    ends(path, message(wire.VERSION, b"\0\0\0\0{\"a\":\"\xff\xfe\"}\0"), agree=False)
    good = ["{}", '{"capabilities":{}}', '{"x":1}', '{"capabilities":{"max_msg_fds":0}}',
            '{"capabilities":{"max_msg_fds":99999999999999999999}}',
            '{"capabilities":{"max_msg_fds":1,"max_msg_fds":2,"other":[1,{"a":2}]}}',
            '{"x":"' + "y" * 60000 + '"}']
    for text in good:
        client = Client(path, False)
        reply = client.ask(version(text))
        assert not error(reply) and 20 < len(reply) <= len(version(text)), (text, reply)
        works(client)
        client.close()
    client = Client(path)
    refused(client, HELLO)
    client.close()


def not_version_first(path):
    for command in range(2, 17):
        ends(path, message(command, bytes(32)), agree=False)
    ends(path, message(wire.VERSION, b"\0"), agree=False)


# ---- fds ----

def fds_where_none_belong(path):
    client = Client(path)
    event = os.eventfd(0)
    for _ in range(300):
        assert client.ask(QUERY, [event] * 16)[32:] == ANSWER
    refused(client, message(wire.INFO, bytes(8)), EINVAL, [event] * 100)
    refused(client, set_irqs(0x21, 0, 0, 1), EINVAL, [event])
    refused(client, set_irqs(0x24, 0, 0, 1), EINVAL, [event] * 2)
    client.close()
    client = Client(path, False)
    assert not error(client.ask(HELLO, [event]))
    works(client)
    client.close()
    os.close(event)


def fds_with_later_bytes(path):
    client = Client(path)
    fd = memfd()
    data = dma_map(0x1000, 0x1000)
    for cut in 1, 8, 16, 20, 47:
        client.send(data[:cut])
        time.sleep(0.01)
        client.send(data[cut:], [fd] * 3)
        client.receive()
        client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 2, 0, 0)))
    works(client)
    client.send(data[:10], [fd] * 200)
    client.close()
    os.close(fd)


def fds_of_the_wrong_kind(path):
    client = Client(path)
    r, w = os.pipe()
    a, b = socket.socketpair()
    null = os.open("/dev/null", os.O_RDWR)
    directory = os.open("/", os.O_RDONLY)
    for fd in r, w, a.fileno(), null, directory:
        assert error(client.ask(dma_map(0x1000, 0x1000), [fd]))
        assert error(client.ask(set_irqs(0x24, 0, 0, 1), [fd]))
        assert error(client.ask(set_irqs(0x14, 0, 0, 1), [fd]))
    works(client)
    for fd in r, w, null, directory:
        os.close(fd)
    a.close()
    b.close()
    client.close()


def full_eventfd(path):
    """Blocking, and with no room: signalling it must not stop the server."""
    client = Client(path)
    event = os.eventfd(0)
    os.write(event, struct.pack("<Q", (1 << 64) - 2))
    assert not error(client.ask(set_irqs(0x24, 0, 0, 1), [event]))
    for _ in range(10):
        assert not error(client.ask(set_irqs(0x21, 0, 0, 1)))
    assert not error(client.ask(set_irqs(0x14, 0, 0, 1), [event]))
    works(client)
    client.close()
    os.close(event)


# ---- memory ----

def maps(path):
    client = Client(path)
    fd = memfd()
    top = 1 << 64
    for iova, size, flags, offset in ((0, 0, 3, 0), (top - 4096, 8192, 3, 0), (0x1000, 0x1000, 0, 0),
                                      (0x1000, 0x1000, 4, 0), (0x1000, 0x1000, 3, 1 << 63),
                                      (0x1000, 0x1000, 3, 1 << 20), (0x1000, (1 << 20) + 1, 3, 0),
                                      (0x1000, 0x1000, 3, top - 0x1000), (0x1000, top - 0x1000, 3, 0),
                                      (0x1000, 0x1000, 0x80000003, 0)):
        refused(client, dma_map(iova, size, flags, offset), EINVAL, [fd])
    assert not error(client.ask(dma_map(0x10000, 0x10000, 3, 0x123), [fd]))
    for iova, size in ((0x10000, 0x10000), (0xf000, 0x1001), (0x1ffff, 1), (0x14000, 0x100), (0, 1 << 40)):
        refused(client, dma_map(iova, size), EEXIST)
    for iova, size in ((0xf000, 0x1000), (0x20000, 0x1000), (top - 4096, 4096)):
        assert not error(client.ask(dma_map(iova, size)))
    for flags, iova, size, number in ((0, 0x10000, 0x1000, EINVAL), (0, 0x18000, 0x8000, EINVAL),
                                      (0, 0, 0, EINVAL), (2, 0x1000, 0, EINVAL), (2, 0, 1, EINVAL),
                                      (1, 0x10000, 0x10000, EINVAL), (3, 0, 0, EINVAL),
                                      (0, top - 4096, 8192, EINVAL)):
        refused(client, message(wire.UNMAP, struct.pack("<IIQQ", 24, flags, iova, size)), number)
    refused(client, message(wire.UNMAP, struct.pack("<IIQQ", 23, 0, 0x10000, 0x10000)))
    reply = client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 0, 0x10000, 0x10000)), [fd])
    assert struct.unpack_from("<Q", reply, 32)[0] == 0x10000
    reply = client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 0, 1 << 32, 1 << 40)))
    assert not error(reply) and struct.unpack_from("<Q", reply, 32)[0] == 0
    assert not error(client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 2, 0, 0))))
    os.close(fd)
    client.close()


def memory_that_shrinks(path):
    """The device reads from a file that was cut: an error for the device, not a SIGBUS."""
    client = Client(path)
    fd = memfd(0x2000)
    assert not error(client.ask(dma_map(0x1000, 0x2000), [fd]))
    os.truncate(fd, 0)
    client.ask(write(7, 4, b"\6\0"))
    for command in 1, 3:
        inside = 0x40000
        src, dst = (0x1000, inside) if command == 1 else (inside, 0x1000)
        for register, value in (0x80, src), (0x88, dst), (0x90, 4096), (0x98, command):
            assert not error(client.ask(write(0, register, struct.pack("<Q", value))))
        time.sleep(0.01)
        works(client)
    os.close(fd)
    client.close()


def many_maps(path):
    client = Client(path)
    fd = memfd()
    for i in range(2000):
        client.send(dma_map(i << 13, 4096), [fd] if i % 2 else [])
        if i % 100 == 99:
            for _ in range(100):
                assert not error(client.receive())
    assert not error(client.ask(message(wire.UNMAP, struct.pack("<IIQQ", 24, 2, 0, 0))))
    for i in range(200):
        assert not error(client.ask(dma_map(i << 13, 4096), [fd]))
    client.close()
    os.close(fd)


# ---- registers and interrupts ----

def accesses(path):
    client = Client(path)
    big = 0xffffffff
    for region, offset, count in ((7, 255, 2), (7, 256, 1), (7, 1 << 63, 1), (7, (1 << 64) - 1, 4),
                                  (7, 0, big), (7, 0, (1 << 20) + 1), (99, 0, 4), (big, 0, 4),
                                  (5, 0, 4), (8, 0, 4), (0, 1 << 20, 4)):
        refused(client, read(region, offset, count))
    assert error(client.ask(read(0, 0, 3)))
    for count in 3, 5, big:
        refused(client, message(wire.WRITE, struct.pack("<QII", 4, 7, count) + bytes(4)))
    refused(client, write(7, 254, bytes(4)))
    assert client.ask(read(7, 0, 0)) == message(wire.READ, read(7, 0, 0)[16:], flags=1)
    assert len(client.ask(read(7, 0, 256))) == 32 + 256
    client.close()


def multi(path):
    client = Client(path)

    def entry(offset, region, count):
        return struct.pack("<QII8s", offset, region, count, b"\7" * 8)
    for count, body in ((1, b""), (2, entry(4, 7, 2)), (1 << 61, entry(4, 7, 2)), (0, entry(4, 7, 2)),
                        ((1 << 64) - 1, b""), (1, entry(4, 7, 9)), (1, entry(4, 7, 0)),
                        (1, entry(4, 99, 2))):
        refused(client, message(wire.MULTI, struct.pack("<Q", count) + body))
    reply = client.ask(message(wire.MULTI, struct.pack("<Q", 2) + entry(4, 7, 2) + entry(4, 99, 2)))
    assert struct.unpack_from("<Q", reply, 16)[0] == 1
    client.close()


def irqs(path):
    client = Client(path)
    big = 0xffffffff
    for flags, index, start, count in ((0x21, 5, 0, 0), (0x21, big, 0, 0), (0x24, 0, big, 2),
                                       (0x24, 0, 0, big), (0x24, 0, 1, 1), (0x24, 0, 0, 0),
                                       (0, 0, 0, 1), (0x27, 0, 0, 1), (0x3f, 0, 0, 1),
                                       (0x80000024, 0, 0, 1), (0x21, 0, 1, 0), (0x22, 0, 0, 1),
                                       (0x24, 3, 0, 1), (0x24, 1, 0, 2)):
        refused(client, set_irqs(flags, index, start, count))
    refused(client, set_irqs(0x22, 0, 0, 1, b"\1\1"))
    client.close()


def information(path):
    client = Client(path)
    for argsz in 0, 15, 31:
        refused(client, message(wire.REGION, struct.pack("<II", argsz, 0) + bytes(24)))
        if argsz < 16:
            refused(client, message(wire.INFO, struct.pack("<I", argsz) + bytes(12)))
            refused(client, message(wire.IRQ, struct.pack("<I", argsz) + bytes(12)))
            refused(client, message(wire.IO_FDS, struct.pack("<I", argsz) + bytes(12)))
    for argsz in 32, 33, 4064, 0xffffffff:
        reply = client.ask(message(wire.REGION, struct.pack("<III", argsz, 0, 7) + bytes(4068)))
        assert len(reply) == 48 and struct.unpack_from("<I", reply, 16)[0] == 32
    for argsz in 16, 24, 32, 0xffffffff:
        assert len(client.ask(message(wire.INFO, struct.pack("<I", argsz) + bytes(12)))) in (32, 40)
    for flags in 0, 0x10000, 0x20000, 0x30000, 0x40000, 0xffffffff:
        assert error(client.ask(message(wire.FEATURE, struct.pack("<II", 0xffffffff, flags) + bytes(16))))
    works(client)
    client.close()


# ---- patience ----

def never_reads(path):
    """Its answers are bounded, and it can still be told to go away by hanging up."""
    client = Client(path)
    client.sock.setblocking(False)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += client.sock.send(QUERY * 100)
    except BlockingIOError:
        pass
    assert sent < 64 << 20
    client.close()


def flood_and_read(path):
    """Full-sized answers in numbers."""
    client = Client(path)
    for _ in range(20):
        client.send(read(0, 0, 4) * 500)
        for _ in range(500):
            client.receive()
    works(client)
    client.close()


def posted_flood(path):
    client = Client(path)
    for _ in range(100):
        client.send(write(0, 4, b"abcd", flags=0x10) * 100)
    assert client.ask(read(0, 4, 4))[32:] == bytes(255 - c for c in b"abcd")
    client.close()


def come_and_go(path):
    for _ in range(200):
        client = Client(path)
        client.send(QUERY)
        client.close()


def clean_for_the_next(path):
    """Whatever one leaves behind, the next finds a device after a reset."""
    event = os.eventfd(0)
    client = Client(path)
    client.ask(write(7, 4, b"\7\4"))
    client.ask(write(0, 4, b"\1\2\3\4"))
    assert not error(client.ask(set_irqs(0x24, 0, 0, 1), [event]))
    assert not error(client.ask(dma_map(0, 1 << 40)))
    client.close()
    client = Client(path)
    assert client.ask(read(7, 4, 2))[32:] == b"\2\0"
    assert client.ask(read(0, 4, 4))[32:] == bytes(4)
    assert error(client.ask(set_irqs(0x21, 0, 0, 1)))  # nothing is routed
    assert not error(client.ask(dma_map(0, 1 << 40)))  # nothing is mapped
    client.close()
    os.close(event)


CASES = [split_everywhere, glued, glued_after_fds, sizes_that_lie, wrong_types, reserved_flags,
         unknown_commands, no_reply, short_payloads, half_a_message_then_gone, half_close, versions,
         not_version_first, fds_where_none_belong, fds_with_later_bytes, fds_of_the_wrong_kind,
         full_eventfd, maps, memory_that_shrinks, many_maps, accesses, multi, irqs, information,
         never_reads, flood_and_read, posted_flood, come_and_go, clean_for_the_next]


def main():
    failed = 0
    with wire.Server(sys.argv[1], "model:edu") as server:
        server.process.stderr = None
        client = Client(server.path)
        before = server.fds()
        client.close()
        for case in CASES:
            if len(sys.argv) > 2 and case.__name__ not in sys.argv[2:]:
                continue
            try:
                case(server.path)
            except Exception as e:  # the others shall run, too
                print(f"{case.__name__}: {type(e).__name__} {e} (line {e.__traceback__.tb_next.tb_lineno})")
                failed += 1
            if not server.alive():
                sys.exit(f"{case.__name__}: the server has died")
            client = Client(server.path)
            works(client)
            if server.fds() != before:
                print(f"{case.__name__}: {server.fds()} fds, {before} before")
                failed += 1
                before = server.fds()
            client.close()
    return 1 if failed else 0


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A session of QEMU, request by request and all at once. usage: replay.py DEVFD"""
import os
import struct
import sys

import wire

ERR_INDEX = 3  # an interrupt that the device of the recording had and model:edu has not


def session():
    for line in (wire.DATA / "qemu-boot.txt").read_text().splitlines():
        if not line.startswith("#"):
            command, number, fds, payload = line.split()
            body = b"" if payload == "-" else bytes.fromhex(payload)
            yield int(command), int(number), int(fds), body


def acceptable(command, number, body, reply):
    got, got_command, size, flags, _ = struct.unpack_from("<HHIII", reply)
    if (got, got_command, size) != (number, command, len(reply)) or not flags & 1:
        return False
    if command == wire.SET_IRQS and struct.unpack_from("<I", body, 8)[0] == ERR_INDEX:
        return True
    if command == wire.VERSION and len(reply) > 16 + len(body):
        return False
    if flags & 0x20:
        return False
    if command == wire.READ:
        return reply[16:32] == body[:16] and len(reply) == 32 + struct.unpack_from("<I", body, 12)[0]
    if command == wire.UNMAP:
        return reply[16:] == body
    if command == wire.REGION:
        flags, _, offset = struct.unpack_from("<III", reply, 20)
        return not flags & 8 or offset >= 32
    return True


def one_by_one(path, memory, event):
    client = wire.Client(path, False)
    for command, number, fds, body in session():
        fd = memory if command == wire.MAP else event
        reply = client.ask(wire.message(command, body, number), [fd] * fds)
        assert acceptable(command, number, body, reply), (command, number, body.hex(), reply.hex())
    client.close()


def at_once(path, memory, event):
    """After the version nothing is waited for."""
    client = wire.Client(path, False)
    rest = list(session())
    command, number, _, body = rest.pop(0)
    client.ask(wire.message(command, body, number))
    for command, number, fds, body in rest:
        client.send(wire.message(command, body, number),
                    [memory if command == wire.MAP else event] * fds)
    for command, number, _, body in rest:
        reply = client.receive()
        assert acceptable(command, number, body, reply), (command, number, body.hex(), reply.hex())
    client.close()


def byte_by_byte(path, memory, event):
    client = wire.Client(path, False)
    for command, number, fds, body in list(session())[:60]:
        data = wire.message(command, body, number)
        client.send(data[:1], [memory if command == wire.MAP else event] * fds)
        for i in range(1, len(data)):
            client.send(data[i:i + 1])
        reply = client.receive()
        assert acceptable(command, number, body, reply), (command, number, body.hex(), reply.hex())
    client.close()


def main():
    memory, event = os.memfd_create("ram"), os.eventfd(0)
    os.truncate(memory, 128 << 20)
    with wire.Server(sys.argv[1], "model:edu,msix") as server:
        before = server.fds()
        for way in one_by_one, at_once, byte_by_byte, one_by_one:
            way(server.path, memory, event)
        last = wire.Client(server.path)
        last.ask(wire.read(7, 0, 4))
        assert server.fds() <= before + 3, (before, server.fds())


main()

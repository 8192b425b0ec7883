#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sessions of QEMU, request by request and all at once. usage: replay.py DEVFD"""
import os
import struct
import sys
import tempfile

import wire

MSIX, ERR = 2, 3


class Device:
    """What decides which answers are right: BAR 0 and the interrupts that it has."""

    def __init__(self, client):
        self.vectors = {}
        for index in range(5):
            reply = client.ask(wire.message(wire.IRQ, struct.pack("<IIII", 16, 0, index, 0)))
            self.vectors[index] = struct.unpack_from("<I", reply, 28)[0]

    def may_refuse(self, command, body):
        """A vector that it does not have, and an access of a width that its registers do not have."""
        if command == wire.SET_IRQS:
            index, start, count = struct.unpack_from("<III", body, 8)
            return start + count > self.vectors[index] or not self.vectors[index]
        return command in (wire.READ, wire.WRITE) and struct.unpack_from("<I", body, 8)[0] != 7


def sessions():
    for path in sorted(wire.DATA.glob("qemu-*.txt")):
        requests = []
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                command, number, fds, payload, *posted = line.split()
                body = b"" if payload == "-" else bytes.fromhex(payload)
                requests.append((int(command), int(number), int(fds), body, 0x10 if posted else 0))
        yield path.stem, requests


def acceptable(device, command, number, body, reply):
    got, got_command, size, flags, err = struct.unpack_from("<HHIII", reply)
    if (got, got_command, size) != (number, command, len(reply)) or not flags & 1:
        return False
    if flags & 0x20:
        return size == 16 and 0 < err < 4096 and device.may_refuse(command, body)
    if command == wire.SET_IRQS:
        return size == 16 and not device.may_refuse(command, body)
    if command == wire.VERSION and len(reply) > 16 + len(body):
        return False
    if command == wire.READ:
        return reply[16:32] == body[:16] and len(reply) == 32 + struct.unpack_from("<I", body, 12)[0]
    if command == wire.WRITE:
        return reply[16:] == body[:16]
    if command == wire.UNMAP:
        return reply[16:] == body
    if command == wire.REGION:
        flags, _, offset = struct.unpack_from("<III", reply, 20)
        return not flags & 8 or offset >= 32
    return True


def send(client, request, memory, event):
    command, number, fds, body, flags = request
    client.send(wire.message(command, body, number, flags), [memory if command == wire.MAP else event] * fds)


def expect(client, device, request):
    command, number, _, body, flags = request
    if flags & 0x10:
        return
    reply = client.receive()
    assert acceptable(device, command, number, body, reply), (command, number, body.hex(), reply.hex())


def one_by_one(client, device, requests, memory, event):
    for request in requests:
        send(client, request, memory, event)
        expect(client, device, request)


def at_once(client, device, requests, memory, event):
    """After the version nothing is waited for."""
    one_by_one(client, device, requests[:1], memory, event)
    for request in requests[1:]:
        send(client, request, memory, event)
    for request in requests[1:]:
        expect(client, device, request)


def byte_by_byte(client, device, requests, memory, event):
    for request in requests[:60]:
        command, number, fds, body, flags = request
        data = wire.message(command, body, number, flags)
        client.send(data[:1], [memory if command == wire.MAP else event] * fds)
        for i in range(1, len(data)):
            client.send(data[i:i + 1])
        expect(client, device, request)


def replay(devfd, address, memory, event):
    with wire.Server(devfd, address) as server:
        first = wire.Client(server.path)
        device = Device(first)
        first.close()
        before = server.fds()
        for name, requests in sessions():
            assert requests[0][0] == wire.VERSION and len(requests) > 40, name
            for way in one_by_one, at_once, byte_by_byte:
                client = wire.Client(server.path, False)
                way(client, device, requests, memory, event)
                client.close()
        server.has_only(before)


def main():
    memory, event = os.memfd_create("ram"), os.eventfd(0)
    os.truncate(memory, 128 << 20)
    assert len(list(sessions())) == 5
    with tempfile.NamedTemporaryFile() as image:
        os.truncate(image.name, 1 << 20)
        for address in "model:edu,msix", f"model:nvme,image={image.name}":
            replay(sys.argv[1], address, memory, event)


main()

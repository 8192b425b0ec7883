#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a server may do to a client, and must not get away with. usage: lying.py DEVFD LSVFIO EDU BY_MESSAGE

Stands between a client and a server and spoils one answer at a time. The client may fail, with one
sentence, or not care; it may not crash, and it may not hang. The answers to spoil go by the socket:
src/user/ring_test.c spoils those of the ring. What a server asks by a second socket is spoiled in the
same ways.
"""
import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import wire

DEVFD, LSVFIO, EDU, BY_MESSAGE = sys.argv[1:]


def changed(at, fmt, value):
    def spoil(data):
        data = bytearray(data)
        if len(data) >= at + struct.calcsize(fmt):
            struct.pack_into(fmt, data, at, value)
        return bytes(data)
    return spoil


def call(command, body=b"", flags=0):
    return lambda data: wire.message(command, body, 7, flags) + data


SPOILS = {
    "nothing": lambda data: b"",
    "half": lambda data: data[:len(data) // 2],
    "header": lambda data: data[:16],
    "small size": changed(4, "<I", 8),
    "huge size": changed(4, "<I", 0xffffffff),
    "other id": changed(0, "<H", 4711),
    "other command": changed(2, "<H", 99),
    "a type that is none": changed(8, "<I", 5),
    "error 0": lambda data: changed(12, "<I", 0)(changed(8, "<I", 0x21)(data)),
    "error -1": lambda data: changed(12, "<I", 0xffffffff)(changed(8, "<I", 0x21)(data)),
    "ones": lambda data: data[:16] + b"\xff" * (len(data) - 16),
    "zeros": lambda data: data[:16] + bytes(len(data) - 16),
    "too short": lambda data: changed(4, "<I", 20)(data[:20].ljust(20, b"\0")),
    "too long": lambda data: changed(4, "<I", len(data) + 4096)(data + b"\xaa" * 4096),
    "huge argsz": changed(16, "<I", 0xffffffff),
    "chain to itself": changed(16 + 12, "<I", 32),
    "huge number": changed(16 + 8, "<Q", 0xffffffffffffffff),
    "twice": lambda data: data + data,
    "read of no memory": call(wire.DMA_READ, struct.pack("<QQ", 1 << 60, 4096)),
    "read of too much": call(wire.DMA_READ, struct.pack("<QQ", 0x1000, 1 << 60)),
    "read around the end": call(wire.DMA_READ, struct.pack("<QQ", (1 << 64) - 8, 16)),
    "short read": call(wire.DMA_READ, b"x"),
    "write of no memory": call(wire.DMA_WRITE, struct.pack("<QQ", 1 << 60, 4) + b"abcd"),
    "write of less": call(wire.DMA_WRITE, struct.pack("<QQ", 0x1000, 5) + b"abcd"),
    "a client's command": call(wire.RESET),
    "read of nothing": call(wire.DMA_READ, struct.pack("<QQ", 0x1000, 0)),
    "write that lies about its length": call(wire.DMA_WRITE, struct.pack("<QQ", 0x1000, 1 << 63) + bytes(8)),
    "many reads of no memory": lambda data: wire.message(
        wire.DMA_READ, struct.pack("<QQ", 1 << 60, 4096), 7) * 100 + data,
    "no VERSION of its own": call(wire.VERSION, bytes(4)),
    "all bits of the flags": changed(8, "<I", 0xffffffff),
    "error with a body": lambda data: changed(8, "<I", 0x21)(changed(12, "<I", 5)(data)),
    "one more byte": lambda data: changed(4, "<I", len(data) + 1)(data + b"x"),
    "one byte less": lambda data: changed(4, "<I", len(data) - 1)(data[:-1]),
    "index of another": changed(16 + 8, "<I", 3),
    "chain behind the end": changed(16 + 12, "<I", 0xfffffff0),
    "areas without end": changed(48 + 8, "<I", 0xffffffff),
    "silent write of no memory": call(wire.DMA_WRITE, struct.pack("<QQ", 1 << 60, 4) + b"abcd", 0x10),
    "unknown command": call(99, bytes(100)),
    "silent command": call(99, bytes(100), 0x10),
}
# A client that lives on after them; the driver's output must then be right.
HARMLESS = {"read of nothing", "write that lies about its length", "many reads of no memory",
            "no VERSION of its own", "silent write of no memory", "read of no memory", "read of too much", "read around the end", "short read",
            "write of no memory", "write of less", "a client's command", "unknown command",
            "silent command"}


@contextlib.contextmanager
def hanging_up(sock):
    """One side has ended, or was reset because it left with something unread: so does the other."""
    try:
        yield
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


class Between:
    """Spoils answer number @which of every connection."""

    def __init__(self, server):
        self.server = server
        self.path = os.path.join(server.dir, "between")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.which, self.spoil, self.answers, self.second = 0, None, 0, False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self.server.path)
                self.forward(client, server)

    def forward(self, client, server):
        self.answers = 0
        threading.Thread(target=self.backward, args=(server, client), daemon=True).start()
        with hanging_up(server):
            while True:
                data, fds, _, _ = socket.recv_fds(client, 1 << 16, 16)
                if not data:
                    break
                data = self.calls(data)
                if data:
                    socket.send_fds(server, [data], fds)
                for fd in fds:
                    os.close(fd)

    @staticmethod
    def calls(data):
        """Without the answers to calls that the server knows nothing of."""
        out, at = b"", 0
        while len(data) - at >= 16:
            size, flags = struct.unpack_from("<II", data, at + 4)
            if not flags & 1:
                out += data[at:at + size]
            at += size
        return out

    def stand_between(self, fd):
        """The second socket: what the server asks there is counted instead of its answers."""
        server = socket.socket(fileno=fd)
        ours, theirs = socket.socketpair()
        threading.Thread(target=self.backward, args=(server, ours, True), daemon=True).start()
        threading.Thread(target=self.answers_of, args=(ours, server), daemon=True).start()
        return theirs.detach()

    @staticmethod
    def answers_of(client, server):
        """Without those to calls that the server knows nothing of, which are number 7."""
        data = b""
        with hanging_up(server):
            while more := client.recv(1 << 21):
                data += more
                while len(data) >= 16 and len(data) >= (size := struct.unpack_from("<I", data, 4)[0]):
                    if struct.unpack_from("<H", data)[0] != 7:
                        server.sendall(data[:size])
                    data = data[size:]

    def backward(self, server, client, second=False):
        ended = False
        with hanging_up(client):
            while not ended:
                data, fds, _, _ = socket.recv_fds(server, 1 << 21, 16)
                if not data:
                    break
                # Long data can look like a header in the middle; only the answer has an fd.
                if self.second and fds and struct.unpack_from("<H", data, 2)[0] == wire.VERSION:
                    fds = [self.stand_between(*fds)]
                if second == self.second:
                    if self.answers == self.which and self.spoil:
                        whole, data = data, self.spoil(data)
                        ended = len(data) < len(whole)
                    self.answers += 1
                if data:
                    socket.send_fds(client, [data], fds)
                for fd in fds:
                    os.close(fd)


def run(command, patience):
    return subprocess.run(command, capture_output=True, text=True, timeout=patience)


def spoiled(between, command, name, right, patience):
    """Return: what is wrong with how the client takes it, or None."""
    try:
        out = run(command, patience)
    except subprocess.TimeoutExpired:
        return f"it hangs, or takes more than {patience:.0f} s"
    good = out.returncode in (0, 1) and out.stderr.count("\n") <= out.returncode
    if name in HARMLESS and between.which:
        good = good and out.stdout == right.stdout
    return None if good else str(out)


def main():
    wrong = {name: [] for name in SPOILS}
    for model, command, step, option in (("model:shapes", [LSVFIO, "--via=both"], 3, ",twin=off"),
                                         ("model:edu", [EDU], 9, ",twin=off"),
                                         ("model:edu,latency=0", [BY_MESSAGE], 3, "")):
        with wire.Server(DEVFD, model) as server:
            between = Between(server)
            between.second = not option
            tail = {EDU: ["10"], BY_MESSAGE: ["3"]}.get(command[0], [])  # no request is number 7
            whole = [*command, "user:" + between.path + ",ring=off" + option, *tail]
            since = time.monotonic()
            right = run(whole, wire.LONG)
            assert right.returncode == 0, right
            # An answer is waited for as long as 10 s, which is too long; a busy machine is slow all the time.
            patience = 9 + 20 * (time.monotonic() - since)
            total = between.answers
            assert total, command
            for name, between.spoil in SPOILS.items():
                for between.which in range(0, total, step):
                    why = spoiled(between, whole, name, right, patience)
                    if why:
                        wrong[name].append(f"{command[0]}: answer {between.which}: {why}")
    for name, found in wrong.items():
        print("FAIL" if found else "ok  ", name, *found, sep="\n     " if found else " ")
    failed = sum(map(bool, wrong.values()))
    print(f"{len(wrong) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())

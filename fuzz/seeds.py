#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the fuzzers of vfio-user start from: the vectors, sessions of QEMU, and what a server answers.

usage: seeds.py DEVFD LSVFIO EDU OUT    makes OUT/serve and OUT/user
"""
import pathlib
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "user"))
import wire  # noqa: E402

KINDS = {"e": 0, "m": 1}


def with_fds(message, count, kind):
    """The bits of stream.c: which fds, how many."""
    flags = struct.unpack_from("<I", message, 8)[0] | kind << 8 | min(count, 15) << 11
    return message[:8] + struct.pack("<I", flags) + message[12:]


def vectors():
    lines = [line.split("#")[0].split() for line in (wire.DATA / "vectors.txt").read_text().splitlines()]
    for line in lines:
        if len(line) >= 3 and line[0].isdigit():
            message = bytes.fromhex(line[2])
            yield int(line[0]), with_fds(message, int(line[1][0]), KINDS.get(line[1][1:], 0))


def sessions():
    for path in sorted(wire.DATA.glob("qemu-*.txt")):
        out = b""
        for line in path.read_text().splitlines():
            if line.startswith("#"):
                continue
            command, number, fds, payload = line.split()[:4]
            body = b"" if payload == "-" else bytes.fromhex(payload)
            kind = 1 if int(command) == wire.MAP else 0
            out += with_fds(wire.message(int(command), body, int(number)), int(fds), kind)
        yield path.stem, out


def second(message):
    """By the second socket."""
    return message[:11] + bytes([message[11] | 1]) + message[12:]


def dma(text=None):
    """The device copies from memory and back, all by messages, some of them answered too late."""
    def wait(message):
        return message[:8] + bytes([message[8], message[9], message[10] | 0x80]) + message[11:]

    def start(src, dst, command):
        writes = (0x80, src), (0x88, dst), (0x90, 16), (0x98, command)
        return b"".join(wire.write(0, r, struct.pack("<Q", v)) for r, v in writes[:3]) + \
            wait(wire.write(0, 0x98, struct.pack("<Q", command)))
    answers = (wire.DMA_READ, struct.pack("<QQ", 0x1000, 16) + bytes(16)), \
        (wire.DMA_WRITE, struct.pack("<QQ", 0x1000, 16))
    by = second if text else bytes
    out = (wire.version(text) if text else wire.version()) + wire.write(7, 4, b"\6\0") + wire.dma_map(0x1000, 0x4000)
    for number, (command, body) in enumerate(answers):
        src, dst, register = (0x1000, 0x40000, 1) if number == 0 else (0x40000, 0x1000, 3)
        out += start(src, dst, register) + wait(wire.read(7, 0, 4)) + \
            by(wait(wire.message(command, body, number, 1)))
    out += start(0x1000, 0x40000, 1) + wait(wire.message(wire.UNMAP, struct.pack("<IIQQ", 24, 2, 0, 0)))
    return out + by(wait(wire.message(*answers[0], 2, 1)))


def serve_seeds(out):
    (out / "dma").write_bytes(dma())
    text = '{"capabilities":{"max_msg_fds":16,"devfd_ring":1}}' + " " * 200
    (out / "ring").write_bytes(wire.version(text) + wire.read(7, 0, 4) * 3)
    (out / "twin").write_bytes(dma('{"capabilities":{"max_msg_fds":8,"twin_socket":{"supported":true}}}' +
                                   " " * 60))
    hello, together = wire.version(), wire.version()
    for number, message in vectors():
        (out / f"vector-{number}").write_bytes((hello if number > 6 else b"") + message)
        if number > 6 and number not in (41, 42):
            together += message
    (out / "vectors").write_bytes(together)
    for name, session in sessions():
        (out / name).write_bytes(session)
        (out / (name + "-start")).write_bytes(session[:4000])


class Between(threading.Thread):
    """Hands on what both ends say, and keeps what the server says."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.said = server, b""
        self.path = server.path + "-between"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.server.path)
        threading.Thread(target=self.hand_on, args=(client, server), daemon=True).start()
        self.hand_on(server, client, True)

    def hand_on(self, source, target, keep=False):
        while True:
            data, fds, _, _ = socket.recv_fds(source, 1 << 16, 16)
            if keep:
                # An fd that nobody wants keeps an answer apart from the next one.
                self.said += with_fds(data, len(fds), 1) if fds else with_fds(data, 1, 5) if data else b""
            if not data:
                break
            socket.send_fds(target, [data], fds)
        target.shutdown(socket.SHUT_WR)


def user_seeds(out, devfd, lsvfio, edu):
    for name, model, command in (("edu", "model:edu", [edu]), ("shapes", "model:shapes", [lsvfio]),
                                 ("uart", "model:uart", [lsvfio]), ("msix", "model:edu,msix", [edu])):
        with wire.Server(devfd, model) as server:
            between = Between(server)
            between.start()
            tail = ["10"] if command == [edu] else []
            subprocess.run([*command, "user:" + between.path, *tail], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=20)
            between.join(5)
            (out / name).write_bytes(between.said)
    # What servers ask for.
    calls = [message for number, message in vectors() if number >= 53]
    calls += [wire.message(wire.DMA_READ, struct.pack("<QQ", 0x1000, 16)),
              wire.message(wire.DMA_WRITE, struct.pack("<QQ", 0x1ff8, 16) + bytes(16))]
    for name in "edu", "shapes":
        said = (out / name).read_bytes()
        whole, at = b"", 0
        while at < len(said):
            size = struct.unpack_from("<I", said, at + 4)[0]
            whole += said[at:at + size] + calls[at % len(calls)]
            at += size
        (out / (name + "-asking")).write_bytes(whole)
        first = struct.unpack_from("<I", said, 4)[0]
        twin = wire.version('{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}')
        twin = with_fds(bytes(2) + twin[2:8] + b"\1" + twin[9:], 1, 4)
        (out / (name + "-twin")).write_bytes(twin + b"".join(map(second, calls)) + said[first:])


def main():
    devfd, lsvfio, edu, out = sys.argv[1:]
    for name in "serve", "user":
        (pathlib.Path(out) / name).mkdir(parents=True, exist_ok=True)
    serve_seeds(pathlib.Path(out) / "serve")
    user_seeds(pathlib.Path(out) / "user", devfd, lsvfio, edu)


main()

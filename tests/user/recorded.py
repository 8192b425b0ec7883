#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our client and the server of another project, of which answers were recorded.
usage: recorded.py LSVFIO FAR

What was not recorded gets what that server says to everything that it does not know, EINVAL. Accesses
inside a region get what it says to those, with bytes that are 0; BARs 3 to 5 are as absent as BAR 0.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import wire

LSVFIO, FAR = sys.argv[1:]
EINVAL = (0x21, 22, b"")
SIZES = {2: 256, 7: 256}


def key(command, body):
    """What an answer depends on: not how much room the client has for it, nor where its memory is."""
    if command in (wire.VERSION, wire.INFO, wire.MAP, wire.RESET):
        return command, b""
    return command, body if command in (wire.READ, wire.WRITE) else body[4:]


def recorded():
    answers = {}
    for line in (wire.DATA / "libvfio-gpio.txt").read_text().splitlines():
        if not line.startswith("#"):
            command, body, flags, error, answer = line.split("#")[0].split()
            body, answer = (b"" if hexa == "-" else bytes.fromhex(hexa) for hexa in (body, answer))
            answers.setdefault(key(int(command), body), (int(flags, 16), int(error), answer))
    return answers


def answer(answers, command, body):
    if key(command, body) in answers:
        return answers[key(command, body)]
    if command in (wire.READ, wire.WRITE):
        offset, region, count = struct.unpack_from("<QII", body)
        if offset + count <= SIZES.get(region, 0):
            data = struct.pack("<HH", 0x494f, 0x0dc8).ljust(256, b"\0") if region == 7 else bytes(256)
            data = data[offset:offset + count] if command == wire.READ else b""
            return 1, 0, body[:16] + data
    if command == wire.UNMAP:
        return 1, 0, body
    if command == wire.REGION and struct.unpack_from("<I", body, 8)[0] in (3, 4, 5):
        return 1, 0, struct.pack("<II", 32, 0) + body[8:12] + bytes(20)
    return EINVAL


def serve(listener, answers):
    while True:
        sock, _ = listener.accept()
        client = wire.Client.__new__(wire.Client)
        client.sock, client.fds = sock, []
        try:
            while True:
                request = client.receive()
                number, command, _, flags = struct.unpack_from("<HHII", request)
                status, error, body = answer(answers, command, request[16:])
                if not flags & 0x10:
                    client.send(wire.message(command, body, number, status, error=error))
        except (wire.Closed, OSError):
            client.close()


def expected(name, output):
    right = (wire.DATA / name).read_text()
    if output == right:
        return True
    print(f"FAIL {name}: not", right, "but", output, sep="\n")
    return False


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(8)
        threading.Thread(target=serve, args=(listener, recorded()), daemon=True).start()
        good = True
        for name, command in (("libvfio-gpio-lsvfio.txt", [LSVFIO, "-v", "user:" + path]),
                              ("libvfio-gpio-far.txt", [FAR, "user:" + path, "2"])):
            out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 timeout=60, check=False)
            good = expected(name, out.stdout.replace(path, "PATH")) and good
    return 0 if good else 1


sys.exit(main())

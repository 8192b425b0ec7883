#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sends the messages of vectors.txt to a server and compares the answers. usage: vectors.py DEVFD AREAS"""
import os
import sys

import wire


def entries():
    lines = [line.split("#")[0].split() for line in (wire.DATA / "vectors.txt").read_text().splitlines()]
    lines = [line for line in lines if line]
    for call, answer in zip(lines[::2], lines[1::2]):
        yield int(call[0]), call[1], bytes.fromhex(call[2]), answer


def make_fds(kind):
    count = int(kind[0])
    if kind[1:] == "m":
        fds = [os.memfd_create("m", os.MFD_CLOEXEC) for _ in range(count)]
        for fd in fds:
            os.truncate(fd, 1 << 20)
        return fds
    return [os.eventfd(0) for _ in range(count)]


def check(client, call, fds, answer):
    client.send(call, fds)
    if answer[0] == "none":
        return True
    if answer[0] != "close":
        reply = client.receive()
        if answer[0][0] == "E":
            right = wire.error(reply) == int(answer[0][1:]) and len(reply) == 16
        elif answer[0] == "text":
            right = reply[8] == 1 and 20 < len(reply) <= len(call) and reply[-1] == 0
        else:
            right = reply == bytes.fromhex(answer[0])
        if right and len(client.fds) != (answer[-1] == "1fd"):
            right = False
        if not right:
            print("got   ", reply.hex())
            return False
    return answer[-1] != "close" or client.closed()


AREAS = 20, 21
FROM_SERVER = 53  # and those behind: asked.c


def check_areas(areas):
    """Of another device."""
    failed = 0
    with wire.Server(areas, "") as server:
        for number, _, call, answer in entries():
            if number in AREAS:
                client = wire.Client(server.path)
                if not check(client, call, [], answer):
                    print(f"vector {number}: wanted {' '.join(answer)}")
                    failed += 1
                client.close()
    return failed


def main():
    failed = check_areas(sys.argv[2])
    with wire.Server(sys.argv[1], "model:edu,msix") as server:
        common = None
        for number, kind, call, answer in entries():
            if number in AREAS or number >= FROM_SERVER:
                continue
            if number > 6 and common is None:
                common = wire.Client(server.path)
            client = wire.Client(server.path, number > 6) if common is None else common
            fds = make_fds(kind)
            try:
                good = check(client, call, fds, answer)
            except wire.Closed:
                good = False
            for fd in fds:
                os.close(fd)
            if not good:
                print(f"vector {number}: wanted {' '.join(answer)}")
                failed += 1
            if number <= 6 or answer[-1] == "close":
                client.close()
                common = None
    return 1 if failed else 0


sys.exit(main())

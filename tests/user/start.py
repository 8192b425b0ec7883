#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Servers that start at once, and clients that do not wait for them. usage: start.py DEVFD"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import wire

DEVFD, = sys.argv[1:]
ROUNDS = 6
SERVERS = 6


def start(path):
    return subprocess.Popen([DEVFD, "serve", "model:edu", "--socket", path, "--log", "error"],
                            stderr=subprocess.PIPE, text=True)


def connect(path, absent):
    """Who finds the file finds a server. @absent: what it may find before that"""
    end = time.monotonic() + wire.LONG
    while time.monotonic() < end:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client
        except absent:
            client.close()
    raise SystemExit("nobody came")


def race(path, stale):
    """One of many gets the place, and keeps it. What a dead one has left is nobody's."""
    servers = [start(path) for _ in range(SERVERS)]
    client = connect(path, (FileNotFoundError, ConnectionRefusedError) if stale
                     else FileNotFoundError)
    wire.until(lambda: sum(s.poll() is not None for s in servers) >= SERVERS - 1)
    losers = [s for s in servers if s.poll() is not None]
    assert len(losers) == SERVERS - 1, len(losers)
    for s in losers:
        assert s.returncode == 1, s.returncode
        text = s.communicate()[1]
        assert "somebody listens there already" in text and text.count("\n") == 1, text
    again = socket.socket(socket.AF_UNIX)
    again.connect(path)
    again.close()
    client.close()
    winner, = [s for s in servers if s not in losers]
    return winner


def end(server, how):
    server.send_signal(how)
    server.wait(wire.LONG)
    server.stderr.close()


with tempfile.TemporaryDirectory(prefix="devfd-start-") as folder:
    path = os.path.join(folder, "sock")
    for n in range(ROUNDS):
        killed = bool(n % 2)
        winner = race(path, stale=n and not killed)
        assert os.listdir(folder) == ["sock"]
        end(winner, signal.SIGKILL if killed else signal.SIGTERM)
        assert os.path.exists(path) == killed
    # What is left of one that died while it was making its socket is in nobody's way.
    with socket.socket(socket.AF_UNIX) as half:
        half.bind(path + "~")
    winner = race(path, stale=True)
    assert os.listdir(folder) == ["sock"]
    end(winner, signal.SIGTERM)
    # The longest name, and one more.
    for length, fits in (106, True), (107, False):
        long = os.path.join(folder, "x" * (length - len(folder) - 1))
        server = start(long)
        if fits:
            connect(long, FileNotFoundError).close()
        else:
            assert server.wait(wire.LONG) == 1 and "too long" in server.stderr.read()
        end(server, signal.SIGTERM)
    assert not os.listdir(folder)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Either end is killed at any moment, and the other is right again. usage: kill.py DEVFD EDU"""
import os
import random
import signal
import subprocess
import sys
import time

import wire

DEVFD, EDU = sys.argv[1:]
ROUNDS = 60
SEED = 2011


def clients(rng):
    with wire.Server(DEVFD, "model:edu") as server:
        first = wire.Client(server.path)
        fds = server.fds()
        first.close()
        for _ in range(ROUNDS):
            driver = subprocess.Popen([EDU, "user:" + server.path, "10"], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.008)
            driver.kill()
            driver.wait()
            since = time.monotonic()
            client = wire.Client(server.path)
            assert client.ask(wire.read(7, 4, 2))[32:] == b"\2\0"
            assert time.monotonic() - since < 0.1
            assert server.fds() == fds, (server.fds(), fds)
            client.close()


def servers(rng):
    for _ in range(ROUNDS // 2):
        server = wire.Server(DEVFD, "model:edu,latency=1000000")
        driver = subprocess.Popen([EDU, "user:" + server.path, "10"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
        time.sleep(rng.random() * 0.015)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        since = time.monotonic()
        _, err = driver.communicate(timeout=5)
        assert driver.returncode in (0, 1) and err.count("\n") == driver.returncode, err
        assert time.monotonic() - since < 0.5
        os.unlink(server.path)
        os.rmdir(server.dir)


clients(random.Random(SEED))
servers(random.Random(SEED))

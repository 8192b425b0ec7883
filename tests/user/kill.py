#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Either end is killed at any moment, and the other is right again. usage: kill.py DEVFD EDU BY_MESSAGE

The times are told. Their limit only tells an end that has noticed from one that has lost its
patience, which takes 5 s and more: how long it takes to notice is up to what else the machine does.
"""
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import wire

DEVFD, EDU, BY_MESSAGE = sys.argv[1:]
CLIENTS, SERVERS = 140, 60
SEED = 2011
WAYS = "", ",ring=off", ",ring=off,twin=off"
LIMIT = 4.0
GROWTH_KIB = 512


def judge(who, times):
    median, worst = statistics.median(times), max(times)
    print(f"{who} killed {len(times)} times: the other end is right again after {median * 1e3:.1f} ms "
          f"(median), {worst * 1e3:.1f} ms (worst)")
    assert median <= LIMIT, median


def drive(server, rng, **kwargs):
    """Memory is a file, or has to be asked for."""
    driver = rng.choice([[EDU, "10"], [BY_MESSAGE, "1000"]])
    driver.insert(1, "user:" + server.path + rng.choice(WAYS))
    return subprocess.Popen(driver, stdout=subprocess.DEVNULL, **kwargs)


def kill_a_client(server, rng):
    driver = drive(server, rng, stderr=subprocess.DEVNULL)
    time.sleep(rng.random() * 0.012)
    driver.kill()
    driver.wait()
    since = time.monotonic()
    client = wire.Client(server.path)
    assert client.ask(wire.read(7, 4, 2))[32:] == b"\2\0"
    passed = time.monotonic() - since
    client.close()
    return passed


def clients(rng):
    with wire.Server(DEVFD, "model:edu") as server:
        fds = server.fds()
        for _ in range(10):  # what a heap needs at all
            kill_a_client(server, rng)
        memory, times = server.memory(), []
        for _ in range(CLIENTS):
            times.append(kill_a_client(server, rng))
            server.has_only(fds)
        grown = server.memory() - memory
        assert server.sanitized or grown <= GROWTH_KIB, f"{grown} KiB more"
    judge("client", times)


def servers(rng):
    times = []
    for _ in range(SERVERS):
        server = wire.Server(DEVFD, "model:edu,latency=1000000")
        driver = drive(server, rng, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.random() * 0.015)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        since = time.monotonic()
        _, err = driver.communicate(timeout=wire.LONG)
        times.append(time.monotonic() - since)
        assert driver.returncode in (0, 1) and err.count("\n") == driver.returncode, err
        os.unlink(server.path)
        os.rmdir(server.dir)
    judge("server", times)


clients(random.Random(SEED))
servers(random.Random(SEED))

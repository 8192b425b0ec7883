#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A served device is the same device. usage: both.py DEVFD LSVFIO EDU BY_MESSAGE"""
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import wire

DEVFD, LSVFIO, EDU, BY_MESSAGE = sys.argv[1:]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def same_output():
    """The driver of examples/ does not know what it drives; two clients, one after the other."""
    for model, *options in (("model:edu",), ("model:edu,msix",), ("model:edu", "--poll")):
        with wire.Server(DEVFD, model, *options) as server:
            for seed, option in ("1", ""), ("7", ",ring=off"), ("3", ",ring=off,twin=off"):
                addresses = model, "user:" + server.path + option
                here, there = (run(EDU, a, "10", seed) for a in addresses)
                assert (here.stdout, here.returncode) == (there.stdout, there.returncode), there


def by_message():
    """Memory that is no file: the server asks for it, by the same socket or by a second one."""
    for options in [], ["--poll"]:
        with wire.Server(DEVFD, "model:edu,latency=0", *options) as server:
            for way in "", ",ring=off", ",ring=off,twin=off", ",ring=off,poll":
                out = run(BY_MESSAGE, "user:" + server.path + way, "40")
                assert out.returncode == 0 and out.stdout, (way, out)


def twice():
    """What is served can be served again. Memory of the driver is a file, and goes all the way."""
    with wire.Server(DEVFD, "model:edu") as near, wire.Server(DEVFD, "user:" + near.path) as far:
        here, there = (run(EDU, a, "10") for a in ("model:edu", "user:" + far.path))
        assert (here.stdout, here.returncode) == (there.stdout, there.returncode), there


def twice_by_message():
    """Memory that is no file is asked for all the way, with or without the other means between."""
    for options in [], ["--poll"]:
        with wire.Server(DEVFD, "model:edu,latency=0", *options) as near:
            for way in "", ",ring=off", ",ring=off,twin=off", ",ring=off,poll":
                with wire.Server(DEVFD, "user:" + near.path + way, *options) as far:
                    for end in "", ",ring=off,twin=off":
                        out = run(BY_MESSAGE, "user:" + far.path + end, "10")
                        assert out.returncode == 0 and out.stdout, (way, end, out)


def views_agree():
    for model in "model:edu,msix", "model:shapes", "model:pl011":
        with wire.Server(DEVFD, model) as server:
            out = run(LSVFIO, "--via=both", "user:" + server.path)
            assert out.returncode == 0 and ", 0 differences" in out.stdout, (model, out)


def second_client():
    with wire.Server(DEVFD, "model:edu") as server:
        first = wire.Client(server.path)
        out = run(LSVFIO, "user:" + server.path)
        assert out.returncode == 1 and "another client has the device" in out.stderr, out
        assert len(first.ask(wire.read(7, 0, 4))) == 36
        first.close()
        assert run(LSVFIO, "user:" + server.path).returncode == 0


def places():
    """A live socket is not stolen, a stale one is replaced, a file stays."""
    with wire.Server(DEVFD, "model:edu") as server:
        out = run(DEVFD, "serve", "model:edu", "--socket", server.path)
        assert out.returncode == 1 and "somebody listens there already" in out.stderr, out
        assert os.stat(server.path).st_mode & 0o777 == 0o600
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        out = run(LSVFIO, "user:" + server.path)
        assert out.returncode == 1 and "nobody serves a device there" in out.stderr, out
        server.process = subprocess.Popen([DEVFD, "serve", "model:edu", "--socket", server.path,
                                           "--mode", "0666", "--once", "--log", "error"])
        wire.until(lambda: run(LSVFIO, "user:" + server.path).returncode == 0)
        assert server.process.wait(wire.LONG) == 0  # after the one client
        with open(server.path, "w") as f:
            f.write("precious")
        out = run(DEVFD, "serve", "model:edu", "--socket", server.path)
        assert out.returncode == 1 and "a file that is no socket" in out.stderr, out
        os.unlink(server.path)


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    return listener


def start_activated(listeners, *addresses):
    """As systemd does: sockets that listen are fds from 3 on."""
    child = os.fork()
    if child:
        return child
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in listeners]
    for n, fd in enumerate(high):
        os.dup2(fd, 3 + n)
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(high))}
    os.execve(DEVFD, [DEVFD, "serve", *addresses, "--once", "--log", "error"], environment)
    return None


def activated():
    with tempfile.TemporaryDirectory(prefix="devfd-activated-") as folder:
        paths = [os.path.join(folder, name) for name in "ab"]
        listeners = [listen(path) for path in paths]
        for addresses in ("model:edu",), ("model:edu", "model:edu,msix"):
            child = start_activated(listeners[:len(addresses)], *addresses)
            clients = [wire.Client(path) for path in paths[:len(addresses)]]
            for client in clients:
                assert len(client.ask(wire.read(7, 0, 4))) == 36
                client.close()
            assert os.waitpid(child, 0)[1] == 0
        child = start_activated(listeners, "model:edu")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
        for each in listeners:
            each.close()


def value(client):
    return client.ask(wire.read(0, 4, 4))[32:]


def several():
    """Each device has its own client, state and socket file."""
    addresses = ["model:edu"] * 3
    with tempfile.TemporaryDirectory(prefix="devfd-several-") as folder:
        paths = [os.path.join(folder, str(n)) for n in range(len(addresses))]
        pairs = [a for pair in zip(addresses, paths) for a in (pair[0], "--socket", pair[1])]
        for options in [], ["--poll"]:
            server = subprocess.Popen([DEVFD, "serve", *pairs, "--once", "--log", "error", *options])
            wire.until(lambda: all(map(os.path.exists, paths)))
            clients = [wire.Client(path) for path in paths]
            for n, client in enumerate(clients):
                assert wire.error(client.ask(wire.write(0, 4, bytes([n] * 4)))) == 0
            for n, client in enumerate(clients):
                assert value(client) == bytes([n ^ 0xff] * 4), n
            second = wire.Client(paths[1], agree=False)
            assert wire.error(second.receive()) == errno.EBUSY and second.closed()
            second.close()
            clients[1].close()
            wire.until(lambda: not os.path.exists(paths[1]))  # it had its client
            assert os.listdir(folder) != []
            assert value(clients[0]) == b"\xff" * 4 and value(clients[2]) == b"\xfd" * 4
            clients[0].close()
            clients[2].close()
            assert server.wait(wire.LONG) == 0 and not os.listdir(folder)


def while_busy():
    """A client that never pauses keeps neither a second one nor a signal waiting."""
    for options in [], ["--poll"]:
        with wire.Server(DEVFD, "model:edu", *options) as server:
            busy = threading.Event()
            client = wire.Client(server.path)

            def never_pause():
                while not busy.is_set():
                    value(client)

            thread = threading.Thread(target=never_pause, daemon=True)
            thread.start()
            second = wire.Client(server.path, agree=False)
            assert wire.error(second.receive()) == errno.EBUSY
            second.close()
            busy.set()
            thread.join()
            client.close()


def waiting_driver(server, fds):
    """For a device that takes its time. When it has connected, the server has more fds."""
    driver = subprocess.Popen([EDU, "user:" + server.path, "10"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    wire.until(lambda: server.open_fds() > fds)
    time.sleep(0.3)
    return driver


def gone():
    """A driver whose server is killed fails at once; a server whose driver is killed goes on."""
    server = wire.Server(DEVFD, "model:edu,latency=60000000000")
    assert run(LSVFIO, "user:" + server.path).returncode == 0
    fds = server.fds() - 1  # without a client
    wire.until(lambda: server.open_fds() == fds)
    driver = waiting_driver(server, fds)
    driver.kill()
    driver.communicate()
    assert run(LSVFIO, "user:" + server.path).returncode == 0
    wire.until(lambda: server.open_fds() == fds)
    driver = waiting_driver(server, fds)
    killed = time.monotonic()
    server.cut()
    _, err = driver.communicate(timeout=wire.LONG)
    passed = time.monotonic() - killed
    assert driver.returncode == 1 and "cannot be" in err, (driver.returncode, err)
    assert passed < 8, passed  # its patience is 10 s


same_output()
by_message()
twice()
twice_by_message()
views_agree()
second_client()
places()
activated()
several()
while_busy()
gone()

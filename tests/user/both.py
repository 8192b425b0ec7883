#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A served device is the same device. usage: both.py DEVFD LSVFIO EDU"""
import os
import signal
import socket
import subprocess
import sys
import time

import wire

DEVFD, LSVFIO, EDU = sys.argv[1:]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def same_output():
    """The driver of examples/ does not know what it drives; two clients, one after the other."""
    for model, *options in (("model:edu",), ("model:edu,msix",), ("model:edu", "--poll")):
        with wire.Server(DEVFD, model, *options) as server:
            for seed, option in ("1", ""), ("7", ",ring=off"):
                addresses = model, "user:" + server.path + option
                here, there = (run(EDU, a, "10", seed) for a in addresses)
                assert (here.stdout, here.returncode) == (there.stdout, there.returncode), there


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
        for _ in range(500):
            if run(LSVFIO, "user:" + server.path).returncode == 0:
                break
            time.sleep(0.01)
        assert server.process.wait(10) == 0  # after the one client
        with open(server.path, "w") as f:
            f.write("precious")
        out = run(DEVFD, "serve", "model:edu", "--socket", server.path)
        assert out.returncode == 1 and "a file that is no socket" in out.stderr, out
        os.unlink(server.path)


def activated():
    """systemd listens, and passes the socket as fd 3."""
    with wire.Server(DEVFD, "model:edu") as server:  # for its directory
        path = os.path.join(server.dir, "passed")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        child = os.fork()
        if not child:
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
            os.execve(DEVFD, [DEVFD, "serve", "model:edu", "--once", "--log", "error"], environment)
        client = wire.Client(path)
        assert len(client.ask(wire.read(7, 0, 4))) == 36
        client.close()
        assert os.waitpid(child, 0)[1] == 0
        listener.close()


def gone():
    """A driver whose server is killed fails at once; a server whose driver is killed goes on."""
    with wire.Server(DEVFD, "model:edu,latency=2000000000") as server:
        driver = subprocess.Popen([EDU, "user:" + server.path, "10"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        driver.kill()
        driver.communicate()
        assert run(LSVFIO, "user:" + server.path).returncode == 0
        driver = subprocess.Popen([EDU, "user:" + server.path, "10"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        server.process.kill()
        killed = time.monotonic()
        _, err = driver.communicate(timeout=10)
        assert driver.returncode == 1 and "cannot be" in err, (driver.returncode, err)
        assert time.monotonic() - killed < 1
        server.process.wait()
        os.unlink(server.path)
        server.process = subprocess.Popen(["true"])
        server.process.wait()


def refusals():
    for arguments, text in (((), "no ADDRESS"), (("model:edu",), "no --socket"),
                            (("model:edu", "--socket", "/x", "--mode", "9"), "octal mode"),
                            (("model:edu", "--socket", "/x", "--log", "loud"), "error, info or debug"),
                            (("model:edu", "model:edu"), "one device at a time"),
                            (("model:edu", "--socket", "x" * 108), "name too long"),
                            (("model:edu", "--socket", "/nowhere/s"), "No such file"),
                            (("model:nothing", "--socket", "/x"), "nothing")):
        out = run(DEVFD, "serve", *arguments)
        assert out.returncode in (1, 2) and text in out.stderr, out
        assert out.stderr.count("\n") == 1, out


same_output()
views_agree()
second_client()
places()
activated()
gone()
refusals()

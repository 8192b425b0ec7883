#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a client may do to a server, and must not get away with. usage: hostile.py DEVFD [CASE...]

After each case the server lives, holds no more fds and no more memory than before, a good client
gets its job done, and the client of another device of the same server has not waited.
"""
import resource
import sys
import threading
import time

from cases import answers, descriptors, framing, liveness, memory, registers, twin, versions  # noqa: F401
from cases.common import CASES, close_all, good_client
import wire

GROWTH_KIB = 2048
# So few that a client can try to take them all.
SERVER_FDS = 400
# Far above what it is on a busy machine, and below a server that waits for somebody: 5 s and more.
PATIENCE = 4.0


class Neighbour(threading.Thread):
    """Uses the other device all the time, and finds what it has left there."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.client = wire.Client(path)
        self.client.ask(wire.write(0, 4, b"mine"))
        self.worst, self.stopping, self.wrong = 0, False, None

    def run(self):
        try:
            while not self.stopping:
                since = time.monotonic()
                if self.client.ask(wire.read(0, 4, 4))[32:] != bytes(255 - c for c in b"mine"):
                    self.wrong = "it finds something else"
                self.worst = max(self.worst, time.monotonic() - since)
                time.sleep(0.002)
        except (OSError, wire.Closed) as e:
            self.wrong = repr(e)


def check(server, neighbour, fds):
    good_client(server.path)
    server.has_only(fds)
    assert not neighbour.wrong, f"the neighbour: {neighbour.wrong}"
    assert neighbour.worst < PATIENCE, f"the neighbour waited for {neighbour.worst:.3f} s"


def grown(function, server):
    """What a heap has once needed it may keep, but not ask for again."""
    before = server.memory()
    function(server.path)
    if server.memory() - before > GROWTH_KIB and not server.sanitized:
        before = server.memory()
        function(server.path)
    return server.memory() - before


def run_case(name, function, server, neighbour, fds):
    neighbour.worst, neighbour.wrong = 0, None
    try:
        more = grown(function, server)
        assert server.sanitized or more <= GROWTH_KIB, f"{more} KiB more"
        check(server, neighbour, fds)
    except Exception as e:  # the others shall run, too
        at = e.__traceback__
        while at.tb_next and "cases" in at.tb_next.tb_frame.f_code.co_filename:
            at = at.tb_next
        print(f"FAIL {name}: {type(e).__name__} {str(e)[:200]} (line {at.tb_lineno})")
        return False
    finally:
        close_all()
        if not server.alive():
            sys.exit(f"FAIL {name}: the server has died")
    return True


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    passed = failed = 0
    chosen = sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (SERVER_FDS, hard))
    with wire.Server(sys.argv[1], "model:edu,latency=0", neighbour="model:edu") as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        neighbour = Neighbour(server.paths[1])
        neighbour.start()
        good_client(server.path)
        fds = server.fds()
        for name, source, function in CASES:
            if chosen and name not in chosen:
                continue
            since = time.monotonic()
            if run_case(name, function, server, neighbour, fds):
                passed += 1
                print(f"ok   {name} ({source}) {time.monotonic() - since:.2f} s")
            else:
                failed += 1
        neighbour.stopping = True
        neighbour.join()
        neighbour.client.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())

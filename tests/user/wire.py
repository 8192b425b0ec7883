# SPDX-License-Identifier: MIT
"""A vfio-user client in as few lines as possible, for tests: it sends whatever it is told to."""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

VERSION, MAP, UNMAP, INFO, REGION, IO_FDS, IRQ, SET_IRQS, READ, WRITE, DMA_READ, DMA_WRITE, RESET = \
    range(1, 14)
MULTI, FEATURE = 15, 16

# In s: by then it has happened on any machine, however busy.
LONG = 60


class Closed(Exception):
    pass


def until(condition):
    """Wait for it, and for nothing else."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.002)


def message(command, body=b"", number=1, flags=0, size=None, error=0):
    size = 16 + len(body) if size is None else size
    return struct.pack("<HHIII", number, command, size, flags, error) + body


def version(text='{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576,"pgsizes":4096}}'):
    return message(VERSION, struct.pack("<HH", 0, 0) + text.encode() + b"\0")


def dma_map(iova, size, flags=3, offset=0):
    return message(MAP, struct.pack("<IIQQQ", 32, flags, offset, iova, size))


def read(region, offset, count):
    return message(READ, struct.pack("<QII", offset, region, count))


def write(region, offset, data, flags=0):
    return message(WRITE, struct.pack("<QII", offset, region, len(data)) + data, flags=flags)


def set_irqs(flags, index, start, count, data=b""):
    return message(SET_IRQS, struct.pack("<IIIII", 20 + len(data), flags, index, start, count) + data)


class Client:
    def __init__(self, path, agree=True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LONG)
        self.fds = []
        until(lambda: self.connect(path))
        if agree:
            self.ask(version())

    def connect(self, path):
        try:
            self.sock.connect(path)
            return True
        except BlockingIOError:  # others wait to be accepted
            return False

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.sock, [data], fds)
        else:
            self.sock.sendall(data)

    def get(self, count):
        data = b""
        while len(data) < count:
            more, fds, _, _ = socket.recv_fds(self.sock, count - len(data), 16)
            self.fds += fds
            if not more:
                raise Closed
            data += more
        return data

    def receive(self):
        try:
            head = self.get(16)
            return head + self.get(struct.unpack_from("<I", head, 4)[0] - 16)
        except ConnectionResetError:
            raise Closed from None

    def ask(self, data, fds=()):
        self.send(data, fds)
        return self.receive()

    def closed(self):
        try:
            return not self.sock.recv(1)
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)


def error(reply):
    """The number of an error, 0 for none."""
    flags, number = struct.unpack_from("<II", reply, 8)
    return number if flags & 0x20 else 0


class Server:
    """One device, or with a @neighbour two, in one process."""

    def __init__(self, devfd, address, *options, neighbour=None, env=None, stderr=None):
        self.dir = tempfile.mkdtemp(prefix="devfd-user-")
        self.path = os.path.join(self.dir, "sock")
        self.paths = [self.path]
        command = [devfd, "serve", address, "--socket", self.path, "--log", "error", *options]
        if neighbour:
            self.paths.append(os.path.join(self.dir, "next"))
            command += [neighbour, "--socket", self.paths[1]]
        self.process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stderr=stderr)
        until(lambda: all(map(os.path.exists, self.paths)) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise SystemExit(f"the server of {address} does not start")
        self.sanitized = "libasan" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def fds(self):
        """How many it has when a client has been answered: what was before that is over."""
        client = Client(self.path)
        count = self.open_fds()
        client.close()
        return count

    def has_only(self, fds):
        """Again, if not at once: files that were mapped for DMA are let go one after the other."""
        until(lambda: self.fds() == fds)

    def open_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cut(self):
        """Ends it as a loss of power does."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    def memory(self):
        """Of its own, in KiB: pages of files are those of the clients."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0])

    def alive(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LONG)
        gone = not any(map(os.path.exists, self.paths))
        shutil.rmtree(self.dir)
        if status != 0 or not gone:
            raise SystemExit(f"the server ended with {status}, its socket is "
                             f"{'gone' if gone else 'still there'}")


DATA = pathlib.Path(__file__).parent

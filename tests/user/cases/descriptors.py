# SPDX-License-Identifier: MIT
"""File descriptors: too many, in the wrong place, of the wrong kind, and eventfds with no room."""
import array
import contextlib
import select
import signal
import threading
import time

from cases.common import *
from wire import set_irqs


@contextlib.contextmanager
def wrong_kinds(client):
    """Everything that is neither plain memory nor an eventfd."""
    r, w = os.pipe()
    a, b = socket.socketpair()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")
    listener.listen()
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    epoll = select.epoll()
    fds = [r, w, a.fileno(), b.fileno(), listener.fileno(), datagrams.fileno(), epoll.fileno(),
           client.sock.fileno(), os.open("/", os.O_RDONLY), os.open("/", os.O_PATH),
           os.open("/proc/self/exe", os.O_PATH), os.open("/dev/null", os.O_RDWR),
           os.open("/dev/zero", os.O_RDWR), os.open("/proc/self/mem", os.O_RDWR),
           os.pidfd_open(os.getpid())]
    try:
        yield fds
    finally:
        for s in a, b, listener, datagrams, epoll:
            s.close()
        for fd in r, w, *fds[8:]:
            os.close(fd)


@case("7.2: the kind of a DMA fd is not trusted")
def memory_of_the_wrong_kind(path):
    client = Client(path)
    with wrong_kinds(client) as fds:
        event = os.eventfd(0)
        for fd in *fds, event:
            reply = client.ask(dma_map(0x1000, 0x1000), [fd])
            assert error(reply) and len(reply) == 16, os.readlink(f"/proc/self/fd/{fd}")
        os.close(event)
    ok(client.ask(dma_map(0x1000, 0x1000)))
    works(client)
    client.close()


@case("7.2: the kind of an eventfd is not trusted")
def eventfd_of_the_wrong_kind(path):
    client = Client(path)
    with wrong_kinds(client) as fds:
        memory = memfd()
        for fd in *fds, memory:
            for flags in 0x24, 0x14:
                reply = client.ask(set_irqs(flags, 0, 0, 1), [fd])
                assert error(reply) and len(reply) == 16, os.readlink(f"/proc/self/fd/{fd}")
        os.close(memory)
    assert error(client.ask(set_irqs(0x21, 0, 0, 1)))  # nothing was routed
    works(client)
    client.close()


@case("7.2: the connection itself as an fd: its end must still be seen")
def own_socket(path):
    for data in QUERY, set_irqs(0x24, 0, 0, 1), dma_map(0x1000, 0x1000), message(99, bytes(8)):
        client = Client(path)
        client.ask(data, [client.sock.fileno()] * 2)
        client.close()
        client = Client(path, False)
        ok(client.ask(HELLO))
        client.close()


@case("1.6: memory that may only be read, or only be written")
def memory_with_less_rights(path):
    client = Client(path)
    fd = memfd(0x2000)
    for mode in os.O_RDONLY, os.O_WRONLY:
        other = os.open(f"/proc/self/fd/{fd}", mode)
        client.ask(dma_map(0x1000, 0x1000), [other])
        bus_master(client)
        dma(client, 0x1000, INSIDE, 64, 1)
        dma(client, INSIDE, 0x1000, 64, 3)
        ok(client.ask(UNMAP_ALL))
        os.close(other)
    os.close(fd)
    works(client)
    client.close()


@case("1.6: fds where none belong are closed")
def fds_where_none_belong(path):
    client = Client(path)
    event = os.eventfd(0)
    for _ in range(300):
        assert client.ask(QUERY, [event] * 16)[32:] == ANSWER
    for command in [*range(2, 20), 99]:
        client.ask(message(command, b"\xff" * 32), [event] * 3)
    works(client)
    client.close()
    os.close(event)


@case("1.6: as many as the kernel passes")
def all_fds_at_once(path):
    client = Client(path)
    event = os.eventfd(0)
    for data in message(wire.INFO, bytes(8)), dma_map(0x1000, 0x1000), set_irqs(0x24, 0, 0, 1):
        client.ask(data, [event] * 253)
        works(client)
    client.close()
    os.close(event)


@case("1.6: fds with a VERSION")
def version_with_fds(path):
    event = os.eventfd(0)
    client = Client(path, False)
    ok(client.ask(HELLO, [event] * 5))
    works(client)
    client.close()
    os.close(event)


@case("7.2: fds with any byte of a message")
def fds_with_later_bytes(path):
    client = Client(path)
    fd = memfd()
    data = dma_map(0x1000, 0x1000)
    for cut in 1, 8, 16, 20, 47:
        client.send(data[:cut])
        time.sleep(0.003)
        client.send(data[cut:], [fd] * 3)
        client.receive()
        ok(client.ask(UNMAP_ALL))
    works(client)
    client.close()
    os.close(fd)


@case("7.2: fds of a half-received message")
def fds_and_half_a_message(path):
    fd = memfd()
    for cut in 1, 15, 16, 17, 47:
        client = Client(path)
        client.send(dma_map(0x1000, 0x1000)[:cut], [fd] * 200)
        client.close()
        client = Client(path, False)
        client.send(HELLO[:cut], [fd] * 3)
        client.close()
    os.close(fd)


@case("7.2: fds with every piece")
def fds_with_each_byte(path):
    client = Client(path)
    event = os.eventfd(0)
    for byte in set_irqs(0x24, 0, 0, 1) + QUERY:
        client.send(bytes([byte]), [event] * 3)
    client.receive()
    assert client.receive()[32:] == ANSWER
    client.close()
    os.close(event)


@case("7.2: several control messages, also of other kinds")
def several_control_messages(path):
    client = Client(path)
    event = os.eventfd(0)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [event]))
    me = (socket.SOL_SOCKET, 2, struct.pack("III", os.getpid(), os.getuid(), os.getgid()))
    for control in ([rights, rights], [me], [me, rights], [rights, me, rights]):
        client.sock.sendmsg([set_irqs(0x24, 0, 0, 1)], control)
        client.receive()
        works(client)
    client.close()
    os.close(event)


@case("section 5: as many fds as vectors, or none")
def number_of_eventfds(path):
    client = Client(path)
    event = os.eventfd(0)
    for count, fds in (1, 2), (0, 1), (1, 16), (2, 1), (BIG, 1):
        refused(client, set_irqs(0x24, 0, 0, count), EINVAL, [event] * fds)
    refused(client, set_irqs(0x21, 0, 0, 1), EINVAL, [event])
    refused(client, set_irqs(0x22, 0, 0, 1, b"\1"), EINVAL, [event])
    client.close()
    os.close(event)


@case("peer bug: blocking write to an eventfd, which may be full")
def full_eventfd(path):
    for flags in 0, os.EFD_NONBLOCK, os.EFD_SEMAPHORE:
        client = Client(path)
        event = os.eventfd(0, flags)
        os.write(event, u64(TOP - 2))
        for index in 0, 1:
            ok(client.ask(set_irqs(0x24, index, 0, 1), [event]))
            for _ in range(10):
                ok(client.ask(set_irqs(0x21, index, 0, 1)))
            ok(client.ask(set_irqs(0x21, index, 0, 0)))
        works(client)
        client.close()
        os.close(event)


def empty(event):
    """Two readers may both have seen that there is something: only one of them gets it."""
    try:
        os.preadv(event, [bytearray(8)], -1, os.RWF_NOWAIT)
    except BlockingIOError:
        pass


@case("peer bug: blocking write to an eventfd; it becomes full in between")
def eventfd_filled_in_between(path):
    """Whoever looks first and writes then may find it full when it writes."""
    client = Client(path)
    event, stop = os.eventfd(0), threading.Event()

    def fill():
        while not stop.is_set():
            os.write(event, u64(TOP - 2))
            if select.select([event], [], [], 1)[0] and not stop.wait(0.002):
                empty(event)
    ok(client.ask(set_irqs(0x24, 1, 0, 1), [event]))
    # Without a reader who helps: the read above is the only one.
    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        client.send(set_irqs(0x21, 1, 0, 1) * 50)
        drain(client, 50)
    stop.set()
    while filler.is_alive():
        if select.select([event], [], [], 0.01)[0]:
            empty(event)
    works(client)
    client.close()
    os.close(event)


@case("section 5: resample by an eventfd that is always readable, full, or the trigger itself")
def strange_resample(path):
    client = Client(path)
    trigger, always = os.eventfd(0), os.eventfd(BIG, os.EFD_SEMAPHORE)
    ok(client.ask(set_irqs(0x24, 0, 0, 1), [trigger]))
    for unmask in always, trigger:
        ok(client.ask(set_irqs(0x14, 0, 0, 1), [unmask]))
        ok(client.ask(write(0, 0x60, b"\1\0\0\0")))
        time.sleep(0.02)
        works(client)
    client.close()
    os.close(trigger)
    os.close(always)


@case("7.2: the table of fds is full: the client goes, its fds too")
def more_files_than_fds(path):
    files = []
    client = Client(path)
    try:
        for i in range(600):
            files.append(memfd(4096))
            client.send(dma_map(i << 12, 4096), [files[-1]])
            client.receive()
    except (Closed, BrokenPipeError, OSError):
        pass
    client.close()
    for fd in files:
        os.close(fd)

# SPDX-License-Identifier: MIT
"""Floods, stalls, never reading, and what is left for the next client."""
import time

from cases.common import *
from wire import set_irqs


def stuff(client, data, limit=64 << 20):
    """Send until the server takes no more."""
    client.sock.setblocking(False)
    sent = 0
    try:
        while sent < limit:
            sent += client.sock.send(data)
    except (BlockingIOError, BrokenPipeError):
        pass
    assert sent < limit
    client.sock.setblocking(True)


@case("7.2: never reading: the queue is bounded")
def never_reads(path):
    client = Client(path)
    stuff(client, QUERY * 100)
    client.close()


@case("7.2: never reading answers of full size")
def never_reads_large_answers(path):
    client = Client(path)
    stuff(client, read(7, 0, 256) * 100)
    client.close()


@case("7.2: never reading errors")
def never_reads_errors(path):
    client = Client(path)
    stuff(client, message(wire.READ, bytes(3)) * 100)
    client.close()


@case("7.2: reads at last")
def reads_late(path):
    client = Client(path)
    client.sock.setblocking(False)
    sent, pending = 0, b""
    try:
        while True:
            n = client.sock.send(pending or QUERY * 64)
            sent += n
            pending = (pending or QUERY * 64)[n:]
    except BlockingIOError:
        pass
    client.sock.setblocking(True)
    client.sock.settimeout(wire.LONG)
    for _ in range(sent // 32):
        assert client.receive()[32:] == ANSWER
    rest = -sent % 32
    if rest:
        client.send(QUERY[-rest:])
        assert client.receive()[32:] == ANSWER
    works(client)
    client.close()


@case("7.2: reads one byte at a time")
def reads_slowly(path):
    client = Client(path)
    client.send(read(7, 0, 256) * 20)
    data = b""
    while len(data) < 20 * 288:
        data += client.sock.recv(1)
    works(client)
    client.close()


@case("7.2: a flood of requests")
def flood(path):
    client = Client(path)
    for _ in range(20):
        client.send(read(0, 0, 4) * 500)
        drain(client, 500)
    works(client)
    client.close()


@case("7.2: a flood of posted writes")
def flood_of_posted_writes(path):
    client = Client(path)
    for _ in range(100):
        client.send(write(0, 4, b"abcd", flags=0x10) * 100)
    assert client.ask(read(0, 4, 4))[32:] == bytes(255 - c for c in b"abcd")
    client.close()


@case("7.2: a flood of requests that are refused")
def flood_of_errors(path):
    client = Client(path)
    for _ in range(20):
        client.send(read(99, 0, 4) * 300)
        for _ in range(300):
            assert error(client.receive())
    works(client)
    client.close()


@case("2.10: a flood of resets")
def flood_of_resets(path):
    client = Client(path)
    client.send(message(wire.RESET) * 500)
    drain(client, 500)
    works(client)
    client.close()


@case("6.2: a flood of interrupts")
def flood_of_interrupts(path):
    client = Client(path)
    event = os.eventfd(0, os.EFD_NONBLOCK)
    ok(client.ask(set_irqs(0x24, 0, 0, 1), [event]))
    client.send((write(0, 0x60, b"\1\0\0\0") + write(0, 0x64, b"\1\0\0\0") + set_irqs(0x11, 0, 0, 1)) * 300)
    drain(client, 900)
    works(client)
    client.close()
    os.close(event)


@case("7.2: stalls in the middle of a message; others are told and wait no longer")
def stalls_in_the_middle(path):
    client = Client(path)
    for cut in 1, 15, 16, 31:
        client.send(QUERY[:cut])
        time.sleep(0.01)
        second = Client(path, False)
        assert error(second.receive()) == EBUSY
        second.close()
        client.send(QUERY[cut:])
        assert client.receive()[32:] == ANSWER
    client.close()


@case("7.2: silent from the start")
def says_nothing(path):
    for _ in range(20):
        client = Client(path, False)
        client.close()
    client = Client(path, False)
    time.sleep(0.02)
    client.close()


@case("7.2: a second client is told so")
def second_client(path):
    client = Client(path)
    for _ in range(50):
        second = Client(path, False)
        try:
            second.send(HELLO)
        except BrokenPipeError:
            pass
        assert error(second.receive()) == EBUSY and second.closed()
        second.close()
        works(client)
    client.close()


@case("7.2: a crowd at the door")
def crowd(path):
    client = Client(path)
    crowd = [Client(path, False) for _ in range(60)]
    works(client)
    for other in crowd:
        assert error(other.receive()) == EBUSY
        other.close()
    client.close()


@case("7.2: a dead first client does not block the next")
def come_and_go(path):
    for _ in range(200):
        client = Client(path)
        client.send(QUERY)
        client.close()


@case("3.6: gone in the middle of everything")
def gone_with_everything_open(path):
    fd, event = memfd(), os.eventfd(0)
    for _ in range(20):
        client = Client(path)
        bus_master(client)
        client.send(dma_map(0x1000, 0x10000), [fd])
        client.send(dma_map(0x100000, 0x10000))
        client.send(set_irqs(0x24, 0, 0, 1), [event])
        client.send(set_irqs(0x14, 0, 0, 1), [event])
        client.send(b"".join(write(0, r, u64(v)) for r, v in
                             ((0x80, 0x100000), (0x88, INSIDE), (0x90, 64), (0x98, 5))))
        client.send(dma_map(0x1000000, 0x10000)[:40], [fd])
        client.close()
    os.close(fd)
    os.close(event)


@case("3.6: the next client finds a device after a reset")
def clean_for_the_next(path):
    event = os.eventfd(0)
    client = Client(path)
    ok(client.ask(write(7, 4, b"\7\4")))
    ok(client.ask(write(0, 4, b"\1\2\3\4")))
    ok(client.ask(set_irqs(0x24, 0, 0, 1), [event]))
    ok(client.ask(dma_map(0, 1 << 40)))
    client.close()
    client = Client(path)
    assert client.ask(read(7, 4, 2))[32:] == b"\2\0"
    assert client.ask(read(0, 4, 4))[32:] == bytes(4)
    assert error(client.ask(set_irqs(0x21, 0, 0, 1)))  # nothing is routed
    ok(client.ask(dma_map(0, 1 << 40)))  # nothing is mapped
    client.close()
    os.close(event)

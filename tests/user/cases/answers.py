# SPDX-License-Identifier: MIT
"""Memory by message: answers that are late, wrong, or never come."""
from cases.common import *

COUNT = 4096


def asked(path, command=1):
    """A client that has just been asked for its memory, with the number of the request."""
    client = Client(path)
    bus_master(client)
    ok(client.ask(dma_map(0x1000, 0x4000)))
    src, dst = (0x1000, INSIDE) if command == 1 else (INSIDE, 0x1000)
    start_dma(client, src, dst, COUNT, command)
    while True:  # the device takes its time
        m = client.receive()
        number, got = struct.unpack_from("<HH", m)
        if got in (wire.DMA_READ, wire.DMA_WRITE):
            return client, number


def over(client):
    for _ in range(2000):
        if not client.ask(read(0, 0x98, 8))[32] & 1:
            return
    raise AssertionError("the DMA does not end")


def reply(command, number, body=b"", flags=1, err=0):
    return message(command, body, number, flags, error=err)


def right(number):
    return reply(wire.DMA_READ, number, struct.pack("<QQ", 0x1000, COUNT) + bytes(COUNT))


@case("7.2: the answer of a client is an error, of any number")
def dma_refused(path):
    for err in 0, 14, 19, 4095, 4096, 1 << 31, BIG:
        client, number = asked(path)
        client.send(reply(wire.DMA_READ, number, b"trailing", 0x21, err))
        over(client)
        client.close()


@case("4.4, 7.2: lengths and counts of answers")
def dma_answers_that_lie(path):
    for body in (b"", bytes(8), bytes(16), struct.pack("<QQ", 0x1000, COUNT),
                 struct.pack("<QQ", 0x1000, 8) + bytes(8), struct.pack("<QQ", 0x1000, 1 << 40) + bytes(COUNT),
                 struct.pack("<QQ", 0x1000, COUNT) + bytes(COUNT + 1), bytes(1 << 20),
                 struct.pack("<QQ", 0x1000, COUNT) + bytes(COUNT - 1)):
        client, number = asked(path)
        client.send(reply(wire.DMA_READ, number, body))
        over(client)
        client.close()


@case("A1: answers to writes of any length")
def dma_write_answers(path):
    for body in b"", bytes(8), bytes(12), bytes(16), bytes(17), bytes(COUNT):
        client, number = asked(path, 3)
        client.send(reply(wire.DMA_WRITE, number, body))
        over(client)
        client.close()


@case("7.2: an answer to the wrong request")
def dma_wrong_command(path):
    client, number = asked(path)
    client.send(reply(wire.DMA_WRITE, number, bytes(16)))
    assert client.closed()
    client.close()


@case("7.2: an answer of an unknown id")
def dma_unknown_id(path):
    for other in 1, 0x8000:
        client, number = asked(path)
        client.send(right((number + other) % 65536))
        assert client.closed()
        client.close()


@case("7.2: an answer twice")
def dma_answered_twice(path):
    client, number = asked(path)
    client.send(right(number) * 2)
    assert client.closed()
    client.close()


@case("4.6: an unmap is answered at once, the late answer is dropped")
def dma_unmapped_meanwhile(path):
    client, number = asked(path)
    ok(client.ask(unmap(0x1000, 0x4000)))
    over(client)
    client.send(right(number))
    works(client)
    client.close()


@case("4.6: a reset does not wait for an answer")
def dma_reset_meanwhile(path):
    client, number = asked(path)
    ok(client.ask(message(wire.RESET)))
    client.send(right(number))
    works(client)
    client.close()


@case("4.6: the reply of a request is never held back for an answer")
def dma_never_answered(path):
    client, _ = asked(path)
    for _ in range(200):
        works(client)
    client.close()


@case("4.6: asked again and again, and never answering")
def dma_never_answered_again_and_again(path):
    client, _ = asked(path)
    for _ in range(300):
        ok(client.ask(message(wire.RESET)))
        client.send(write(7, 4, b"\6\0") + b"".join(
            write(0, r, u64(v)) for r, v in ((0x80, 0x1000), (0x88, INSIDE), (0x90, 64), (0x98, 1))))
        for _ in range(5):
            while struct.unpack_from("<H", client.receive(), 2)[0] == wire.DMA_READ:
                pass
    client.close()


@case("4.6: gone while it is asked")
def dma_gone_meanwhile(path):
    for command in 1, 3:
        for half in b"", right(0)[:20]:
            client, _ = asked(path, command)
            client.send(half)
            client.close()


@case("1.4: a request with the id of the server's own")
def dma_same_id(path):
    client, number = asked(path)
    assert client.ask(message(wire.READ, QUERY[16:], number))[32:] == ANSWER
    client.send(right(number))
    over(client)
    client.close()


@case("1.6: fds with an answer")
def dma_answer_with_fds(path):
    client, number = asked(path)
    fd = memfd()
    client.send(right(number), [fd] * 50)
    over(client)
    client.close()
    os.close(fd)


@case("7.2: pieces of one byte: a maximum that is tiny")
def dma_in_tiny_pieces(path):
    client = Client(path, False)
    client.ask(wire.version('{"capabilities":{"max_data_xfer_size":1}}' + " " * 60))
    bus_master(client)
    ok(client.ask(dma_map(0x1000, 0x4000)))
    start_dma(client, 0x1000, INSIDE, 64, 1)
    for i in range(64):
        m = client.receive()
        assert struct.unpack_from("<QQ", m, 16) == (0x1000 + i, 1)
        client.send(reply(wire.DMA_READ, struct.unpack_from("<H", m)[0], m[16:] + b"x"))
    over(client)
    client.close()

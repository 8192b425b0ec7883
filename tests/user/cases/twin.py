# SPDX-License-Identifier: MIT
"""A second socket, by which the server asks and is answered."""
import socket

from cases.common import *
from cases.versions import bad, caps

COUNT = 4096
TWIN = caps('"twin_socket":{"supported":true},"max_msg_fds":8') + " " * 60
HOLD = 128  # requests that the server keeps in mind


class Twin(Client):
    """A client with both sockets, whose memory is reached by the second."""

    def __init__(self, path, text=TWIN, flags=0):
        super().__init__(path, False)
        request = wire.version(text)
        self.version = ok(self.ask(request[:8] + bytes([flags]) + request[9:]))
        assert len(self.version) <= len(request)
        self.second = wire.Client.__new__(wire.Client)
        self.second.fds = []
        self.second.sock = socket.socket(fileno=self.fds.pop())
        self.second.sock.settimeout(wire.LONG)
        assert not self.fds
        bus_master(self)
        ok(self.ask(dma_map(0x1000, 0x4000)))

    def close(self):
        self.second.close()
        super().close()

    def start(self, command=1):
        src, dst = (0x1000, INSIDE) if command == 1 else (INSIDE, 0x1000)
        start_dma(self, src, dst, COUNT, command)

    def asked(self, command=1):
        self.start(command)
        m = self.second.receive()
        number, got, _, flags = struct.unpack_from("<HHII", m)
        assert got == (wire.DMA_READ if command == 1 else wire.DMA_WRITE) and not flags, m.hex()
        return number

    def over(self):
        for _ in range(2000):
            if not self.ask(read(0, 0x98, 8))[32] & 1:
                return
        raise AssertionError("the DMA does not end")


def right(number, data=bytes(COUNT)):
    return message(wire.DMA_READ, struct.pack("<QQ", 0x1000, COUNT) + data, number, 1)


def written(number):
    return message(wire.DMA_WRITE, struct.pack("<QQ", 0x1000, COUNT), number, 1)


def gone(client):
    """Both sockets are closed by the server, and the client's ends then."""
    assert client.closed() and client.second.closed()
    client.close()


def there_and_back(client):
    data = os.urandom(COUNT)
    client.second.send(right(client.asked(), data))
    client.over()
    client.start(3)
    m = client.second.receive()
    assert m[32:] == data
    client.second.send(written(struct.unpack_from("<H", m)[0]))
    client.over()


@case("4.7: a second socket is asked for, and had")
def twin_socket(path):
    client = Twin(path)
    assert b'"twin_socket":{"supported":true,"fd_index":0}' in client.version
    for _ in range(5):
        there_and_back(client)
    client.close()
    client = Twin(path, caps('"twin_socket":{"supported":true,"fd_index":99},"max_msg_fds":1'))
    there_and_back(client)
    client.close()


@case("4.7: who does not want a second socket gets none")
def twin_not_wanted(path):
    for text in ("{}", caps(""), caps('"twin_socket":{}'), caps('"twin_socket":{"supported":false}'),
                 caps('"twin_socket":{"supported":true},"max_msg_fds":0')):
        client = Client(path, False)
        assert b"twin" not in ok(client.ask(wire.version(text + " " * 60))) and not client.fds, text
        works(client)
        client.close()


@case("2.1: no room for it in the answer")
def twin_without_room(path):
    client = Client(path, False)
    request = wire.version(caps('"twin_socket":{"supported":true}'))
    reply = ok(client.ask(request))
    assert b"twin" not in reply and not client.fds and len(reply) <= len(request)
    works(client)
    client.close()


@case("7.2: the keys of a second socket of the wrong kind")
def twin_of_the_wrong_kind(path):
    bad(path, *(caps(f'"twin_socket":{v}') for v in (
        "true", "[]", "null", '"yes"', '{"supported":1}', '{"supported":"true"}',
        '{"supported":true,"fd_index":-1}', '{"supported":true,"fd_index":"0"}',
        '{"supported":true,"fd_index":null}')))


@case("the order of a ring is that of one stream")
def twin_or_ring(path):
    client = Client(path, False)
    reply = ok(client.ask(wire.version(
        caps('"max_msg_fds":8,"devfd_ring":1,"twin_socket":{"supported":true}') + " " * 60)))
    assert b"ring" in reply and b"twin" not in reply and len(client.fds) == 2
    client.close()


@case("4.7: no answer, so no second socket")
def twin_without_an_answer(path):
    client = Client(path, False)
    request = wire.version(TWIN)
    client.send(request[:8] + b"\x10" + request[9:])
    assert client.closed()
    client.close()


@case("4.6: accesses go on while an answer is owed by the other socket")
def twin_served_meanwhile(path):
    client = Twin(path)
    number = client.asked()
    for _ in range(100):
        assert client.ask(read(0, 0x98, 8))[32] & 1
    works(client)
    client.second.send(right(number))
    client.over()
    client.close()


@case("4.7: an answer by the wrong socket")
def twin_answered_by_the_first(path):
    client = Twin(path)
    client.send(right(client.asked()))
    gone(client)


@case("4.7: a request by the wrong socket")
def twin_asked_by_the_second(path):
    for request in (QUERY, HELLO, message(wire.RESET), dma_map(0x10000, 0x1000), message(99),
                    message(wire.DMA_READ, struct.pack("<QQ", 0x1000, 16)),
                    write(0, 4, b"abcd", flags=0x10)):
        client = Twin(path)
        client.second.send(request)
        gone(client)


@case("7.2: answers that nobody asked for, by the second socket")
def twin_unknown_answers(path):
    client = Twin(path)
    client.second.send(right(4711) * 50)
    gone(client)
    client = Twin(path)
    number = client.asked()
    client.second.send(right(number) * 2)
    gone(client)
    client = Twin(path)
    client.second.send(written(client.asked()))
    gone(client)


@case("7.2: half of both is closed")
def twin_half_closed(path):
    for how in socket.SHUT_WR, socket.SHUT_RDWR:
        client = Twin(path)
        client.second.sock.shutdown(how)
        assert client.closed()
        client.close()
    for busy in False, True:
        client = Twin(path)
        if busy:
            client.asked()
        client.second.sock.close()
        assert client.closed()
        client.close()
    client = Twin(path)
    client.second.sock.shutdown(socket.SHUT_RD)  # is noticed when there is something to ask
    try:
        client.start()
        assert client.closed()
    except (Closed, BrokenPipeError):
        pass
    client.close()


@case("7.2: the first is closed, the second is kept")
def twin_outlives(path):
    for how in "close", "half", "asked":
        client = Twin(path)
        if how == "asked":
            client.asked()
        if how == "half":
            client.sock.shutdown(socket.SHUT_WR)
        else:
            client.sock.close()
        assert client.second.closed()
        good_client(path)
        client.close()


@case("7.2: split and glued, by the second socket")
def twin_in_pieces(path):
    client = Twin(path)
    answer = right(client.asked())
    for at in range(0, 64):
        client.second.send(answer[at:at + 1])
        works(client)
    client.second.send(answer[64:])
    client.over()
    there_and_back(client)
    client.close()


@case("7.2: lies about sizes, by the second socket")
def twin_lies(path):
    for size, flags in (0, 1), (15, 1), (BIG, 1), (1 << 21, 1), (16, 5), (16, 15):
        client = Twin(path)
        number = client.asked()
        client.second.send(message(wire.DMA_READ, number=number, flags=flags, size=size))
        gone(client)
    for body in b"", bytes(8), bytes(16), struct.pack("<QQ", 0x1000, 1 << 40) + bytes(COUNT), bytes(1 << 20):
        client = Twin(path)
        client.second.send(message(wire.DMA_READ, body, client.asked(), 1))
        client.over()
        there_and_back(client)
        client.close()


@case("1.6: fds by the second socket")
def twin_with_fds(path):
    client = Twin(path)
    fds = [memfd(0x1000) for _ in range(10)]
    for _ in range(20):
        client.second.send(right(client.asked()), fds)
        client.over()
    there_and_back(client)
    client.close()
    for fd in fds:
        os.close(fd)


@case("7.2: an answer that ends in the middle")
def twin_cut_short(path):
    for length in 1, 15, 16, 31, 100:
        client = Twin(path)
        client.second.send(right(client.asked())[:length])
        works(client)
        client.second.close()
        assert client.closed()
        client.close()


@case("4.1, 4.2: unmapped and reset meanwhile, answered late")
def twin_answered_late(path):
    for request in unmap(0x1000, 0x4000), UNMAP_ALL, message(wire.RESET):
        client = Twin(path)
        number = client.asked()
        ok(client.ask(request))
        assert not client.ask(read(0, 0x98, 8))[32] & 1
        client.ask(dma_map(0x1000, 0x4000))
        client.second.send(right(number, b"x" * COUNT))
        bus_master(client)
        there_and_back(client)
        client.close()


@case("7.2: never reading the second socket, and reading at last")
def twin_never_read(path):
    client = Twin(path)
    for _ in range(HOLD):
        client.start(3)
        ok(client.ask(message(wire.RESET)))
        bus_master(client)
    for _ in range(3):  # one more is refused: the device gives up at once, and nobody waits
        client.start(3)
        assert not client.ask(read(0, 0x98, 8))[32] & 1
        works(client)
    for _ in range(HOLD):
        client.second.send(written(struct.unpack_from("<H", client.second.receive())[0]))
    for _ in range(1000):  # until the answers are taken
        client.start(3)
        if client.ask(read(0, 0x98, 8))[32] & 1:
            break
    client.second.send(written(struct.unpack_from("<H", client.second.receive())[0]))
    client.over()
    there_and_back(client)
    client.close()


@case("7.2: never reading the second socket, and going")
def twin_never_read_at_all(path):
    client = Twin(path)
    for _ in range(HOLD + 10):
        client.start(3)
        ok(client.ask(message(wire.RESET)))
        bus_master(client)
    client.close()

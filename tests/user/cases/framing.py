# SPDX-License-Identifier: MIT
"""Messages cut, glued, and of sizes that lie."""
import time

from cases.common import *
from wire import set_irqs, version


@case("7.2: any split of the stream")
def version_split_at_each_byte(path):
    for cut in range(1, len(HELLO)):
        client = Client(path, False)
        client.send(HELLO[:cut])
        client.send(HELLO[cut:] + QUERY)
        client.receive()
        assert client.receive()[32:] == ANSWER
        client.close()


@case("peer bug: header or body expected in one read")
def request_split_at_each_byte(path):
    client = Client(path)
    data = write(7, 4, b"\7\0") + QUERY
    for cut in range(1, len(data)):
        client.send(data[:cut])
        time.sleep(0)
        client.send(data[cut:])
        assert len(client.receive()) == 32 and client.receive()[32:] == ANSWER
    client.close()


@case("7.2: one-byte reads")
def one_byte_at_a_time(path):
    client = Client(path, False)
    for byte in HELLO + QUERY + set_irqs(0x22, 0, 0, 1, b"\0") + QUERY:
        client.send(bytes([byte]))
    drain(client, 1)
    assert client.receive()[32:] == ANSWER
    client.receive()
    assert client.receive()[32:] == ANSWER
    client.close()


@case("1.6: header and body apart, with a pause")
def header_then_pause_then_body(path):
    client = Client(path)
    for _ in range(3):
        client.send(QUERY[:16])
        time.sleep(0.02)
        client.send(QUERY[16:])
        assert client.receive()[32:] == ANSWER
    client.close()


@case("7.2: pipelined requests")
def thousand_glued(path):
    client = Client(path, False)
    client.send(HELLO + QUERY * 1000)
    client.receive()
    for _ in range(1000):
        assert client.receive()[32:] == ANSWER
    client.close()


@case("7.2: pipelined requests, cut anywhere")
def glued_and_cut_elsewhere(path):
    client = Client(path)
    data = QUERY * 7
    for piece in 1, 3, 15, 17, 31, 33, 47, 100:
        for at in range(0, len(data), piece):
            client.send(data[at:at + piece])
        for _ in range(7):
            assert client.receive()[32:] == ANSWER
    client.close()


@case("1.6: fds with the first of several glued messages")
def glued_after_fds(path):
    client = Client(path)
    fd = memfd()
    client.send(dma_map(0x1000, 0x1000) + QUERY * 3, [fd])
    ok(client.receive())
    for _ in range(3):
        assert client.receive()[32:] == ANSWER
    os.close(fd)
    client.close()


@case("7.2: size below a header is fatal")
def size_below_a_header(path):
    for size in 0, 1, 8, 15:
        ends(path, message(wire.INFO, bytes(16), size=size))
        ends(path, message(wire.VERSION, bytes(4), size=size), agree=False)


@case("1.5: larger than the largest message")
def size_beyond_the_limit(path):
    for size in (1 << 20) + 65, 1 << 21, 1 << 31, BIG:
        ends(path, message(wire.WRITE, bytes(16), size=size))


@case("7.2: before VERSION only 64 KiB")
def first_message_too_large(path):
    for size in (64 << 10) + 1, 1 << 20, BIG:
        ends(path, message(wire.VERSION, bytes(4), size=size), agree=False)


@case("7.2: never allocate before the check")
def large_size_and_no_body(path):
    """A megabyte is announced and never comes."""
    for _ in range(20):
        client = Client(path)
        client.send(message(wire.WRITE, bytes(16), size=1 << 20))
        client.close()


@case("1.5: the largest message that has a use; peer bug: body of a refused message not drained")
def largest_message(path):
    client = Client(path)
    data = bytes(1 << 20)
    refused(client, write(7, 0, data))
    refused(client, message(99, data), ENOSYS)
    refused(client, message(wire.MULTI, data))
    client.send(message(wire.WRITE, bytes(16) + data, flags=0x10))
    works(client)
    client.close()


@case("7.2: reply with nothing outstanding")
def reply_to_nothing(path):
    for command in wire.INFO, wire.DMA_READ, wire.DMA_WRITE, 0, 99:
        for flags in 1, 0x21:
            ends(path, message(command, bytes(16), flags=flags))


@case("7.2: type other than 0 and 1")
def type_that_is_none(path):
    for flags in 2, 3, 7, 15:
        ends(path, message(wire.INFO, bytes(16), flags=flags))


@case("A13: reserved flags of the header are ignored, the error of a command too")
def reserved_flags(path):
    client = Client(path)
    assert client.ask(message(wire.READ, QUERY[16:], flags=0xffffffc0))[32:] == ANSWER
    assert client.ask(message(wire.READ, QUERY[16:], flags=0x20, error=5))[32:] == ANSWER
    client.close()


@case("1.2: commands that are none, of the old migration, and of this build's future")
def unknown_commands(path):
    client = Client(path)
    for command in 0, 14, 17, 18, 19, 99, 65535:
        refused(client, message(command, bytes(64)), ENOSYS)
    client.close()


@case("peer bug: body of a refused message not drained")
def unknown_command_that_looks_like_others(path):
    client = Client(path)
    refused(client, message(99, QUERY * 100), ENOSYS)
    client.close()


@case("7.2: unknown commands in a row")
def nothing_but_unknown_commands(path):
    ends(path, message(99) * 100)


@case("7.2: commands of the server, sent by a client")
def commands_of_the_server(path):
    client = Client(path)
    for command in wire.DMA_READ, wire.DMA_WRITE:
        refused(client, message(command, bytes(16)), ENOSYS)
    client.close()


@case("1.7: No_reply on everything, errors included")
def no_reply_on_everything(path):
    client = Client(path)
    for command in [*range(1, 20), 99]:
        if command != wire.RESET:
            client.send(message(command, bytes(64), flags=0x10))
            client.send(message(command, flags=0x10))
    works(client)
    client.close()


@case("1.7: a VERSION that wants no answer")
def version_without_reply(path):
    client = Client(path, False)
    client.send(HELLO[:8] + b"\x10\0\0\0" + HELLO[12:])
    works(client)
    client.close()


NEED = {wire.MAP: 32, wire.UNMAP: 24, wire.INFO: 16, wire.REGION: 32, wire.IO_FDS: 16, wire.IRQ: 16,
        wire.SET_IRQS: 20, wire.READ: 16, wire.WRITE: 16, wire.MULTI: 8, wire.FEATURE: 8}


@case("peer bug: short fixed payload cast to a struct")
def payload_too_short(path):
    client = Client(path)
    for command, size in NEED.items():
        for length in range(size):
            refused(client, message(command, b"\xff" * length))
    client.close()


@case("A14: trailing bytes, as SPDK pads")
def payload_too_long(path):
    client = Client(path)
    for command in wire.INFO, wire.REGION, wire.IRQ:
        ok(client.ask(message(command, struct.pack("<I", 4064) + bytes(4060))))
    ok(client.ask(message(wire.RESET, bytes(100))))
    works(client)
    client.close()


@case("1.4: ids may repeat, also concurrently")
def one_id_for_everything(path):
    client = Client(path)
    client.send(QUERY * 200)
    for _ in range(200):
        assert client.receive() == message(wire.READ, QUERY[16:] + ANSWER, flags=1)
    client.close()


@case("1.4: tables must not be indexed by ids of the peer")
def all_ids(path):
    client = Client(path)
    for number in 0, 1, 127, 128, 32767, 32768, 65535:
        for command in wire.READ, 99:
            reply = client.ask(message(command, QUERY[16:], number))
            assert struct.unpack_from("<HH", reply) == (number, command)
    client.close()


@case("7.2: end of the stream inside a message")
def half_a_message_then_gone(path):
    whole = HELLO + write(0, 4, bytes(100))
    for cut in range(1, len(whole), 3):
        client = Client(path, False)
        client.send(whole[:cut])
        client.close()
        assert client.sock.fileno() < 0


@case("7.2: end of the stream with the answer outstanding")
def half_close(path):
    client = Client(path)
    client.send(QUERY)
    client.sock.shutdown(socket.SHUT_WR)
    try:
        assert client.receive()[32:] == ANSWER
    except Closed:
        pass
    client.close()


@case("7.2: half-closed, with more answers than the socket holds")
def half_close_with_a_full_queue(path):
    client = Client(path)
    client.send(read(7, 0, 256) * 3000)
    client.sock.shutdown(socket.SHUT_WR)
    client.close()


@case("7.2: MSG_NOSIGNAL")
def answers_cannot_be_sent(path):
    client = Client(path)
    client.sock.shutdown(socket.SHUT_RD)
    try:
        client.send(QUERY * 10)
    except BrokenPipeError:
        pass
    client.close()


@case("7.2: a command before VERSION")
def not_version_first(path):
    for command in [0, *range(2, 20), 99]:
        ends(path, message(command, bytes(32)), agree=False)
    client = Client(path, False)
    assert error(client.ask(message(wire.INFO, bytes(16)))) == EINVAL
    assert client.closed()
    client.close()


@case("7.2: a second VERSION")
def version_twice(path):
    client = Client(path)
    refused(client, HELLO)
    refused(client, version("{}"))
    client.close()
    client = Client(path, False)
    client.send(HELLO * 3)
    ok(client.receive())
    for _ in range(2):
        assert error(client.receive()) == EINVAL
    works(client)
    client.close()

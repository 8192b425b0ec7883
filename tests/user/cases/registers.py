# SPDX-License-Identifier: MIT
"""Accesses, interrupts, information and features, with numbers that lie."""
from cases.common import *
from wire import set_irqs


@case("2.9: reads past the end")
def reads_out_of_bounds(path):
    client = Client(path)
    for region, offset, count in ((7, 255, 2), (7, 256, 1), (7, 1 << 63, 1), (7, TOP - 1, 4), (7, TOP - 4, 4),
                                  (7, 0, BIG), (7, 0, (1 << 20) + 1), (0, 1 << 20, 4), (0, 1, 1 << 20)):
        refused(client, read(region, offset, count))
    client.close()


@case("2.9: regions that are none")
def reads_of_no_region(path):
    client = Client(path)
    for region in 1, 5, 6, 8, 9, 99, 1 << 24, (1 << 24) - 1, 1 << 31, BIG:
        refused(client, read(region, 0, 4))
        refused(client, write(region, 0, bytes(4)))
    client.close()


@case("2.9: the length of a write is not its count")
def writes_that_lie(path):
    client = Client(path)
    for count in 0, 3, 5, 1 << 20, 1 << 31, BIG - 15, BIG:
        refused(client, message(wire.WRITE, struct.pack("<QII", 4, 7, count) + bytes(4)))
    for offset in 254, 256, TOP - 1:
        refused(client, write(7, offset, bytes(4)))
    client.close()


@case("A3: nothing is read and written")
def nothing_accessed(path):
    client = Client(path)
    assert client.ask(read(7, 0, 0)) == message(wire.READ, read(7, 0, 0)[16:], flags=1)
    assert client.ask(read(7, 256, 0)) == message(wire.READ, read(7, 256, 0)[16:], flags=1)
    assert client.ask(write(7, 0, b""))[16:] == write(7, 0, b"")[16:]
    refused(client, read(7, 257, 0))
    client.close()


@case("2.9: widths and alignments that the device does not have")
def odd_accesses(path):
    client = Client(path)
    for offset, count in (0, 3), (1, 4), (2, 2), (0, 8), (0x81, 8), (0, 1 << 20), (0, 4097):
        reply = client.ask(read(0, offset, count))
        assert error(reply) and len(reply) == 16
        reply = client.ask(write(0, offset, bytes(count)))
        assert error(reply) and len(reply) == 16
    assert len(client.ask(read(7, 1, 3))) == 35 and len(client.ask(read(7, 0, 256))) == 32 + 256
    client.close()


@case("2.9: writes to what may not be written")
def config_scribbled(path):
    """All of the config space, with ones and zeros; a reset brings it back."""
    client = Client(path)
    for value in b"\xff", b"\0":
        for at in range(256):
            client.send(write(7, at, value))
            client.receive()
    assert client.ask(QUERY)[32:] == ANSWER
    ok(client.ask(message(wire.RESET)))
    client.close()


def entry(offset, region, count):
    return struct.pack("<QII8s", offset, region, count, b"\7" * 8)


@case("7.2: WRITE_MULTI: number of entries")
def multi_with_other_numbers(path):
    client = Client(path)
    for count, body in ((1, b""), (2, entry(4, 7, 2)), (1 << 61, entry(4, 7, 2)), (0, entry(4, 7, 2)),
                        (TOP - 1, b""), (0xaaaaaaaaaaaaaab, entry(4, 7, 2)), (1, entry(4, 7, 2)[:-1])):
        refused(client, message(wire.MULTI, struct.pack("<Q", count) + body))
    assert struct.unpack_from("<Q", ok(client.ask(message(wire.MULTI, bytes(8)))), 16)[0] == 0
    client.close()


@case("6.2: WRITE_MULTI: what is in the entries")
def multi_with_bad_entries(path):
    client = Client(path)
    for bad in entry(4, 7, 9), entry(4, 7, 0), entry(4, 99, 2), entry(4, 7, BIG), entry(TOP - 1, 7, 2):
        refused(client, message(wire.MULTI, struct.pack("<Q", 1) + bad))
        reply = client.ask(message(wire.MULTI, struct.pack("<Q", 3) + entry(4, 7, 2) + bad + entry(4, 7, 2)))
        assert struct.unpack_from("<Q", reply, 16)[0] == 1
    client.close()


@case("6.2: WRITE_MULTI, as large as a message can be")
def huge_multi(path):
    client = Client(path)
    count = ((1 << 20) + 24) // 24
    reply = client.ask(message(wire.MULTI, struct.pack("<Q", count) + entry(4, 7, 2) * count))
    assert struct.unpack_from("<Q", reply, 16)[0] == count
    client.close()


@case("section 5: SET_IRQS: index, start and count")
def irqs_out_of_bounds(path):
    client = Client(path)
    for flags, index, start, count in ((0x21, 5, 0, 0), (0x21, BIG, 0, 0), (0x24, 0, BIG, 2), (0x24, 0, 0, BIG),
                                       (0x24, 0, 1, 1), (0x24, 0, BIG, 1), (0x24, 1, 0, 2), (0x24, 3, 0, 1),
                                       (0x21, 0, 1, 0), (0x24, 1, 1 << 31, 1 << 31), (0x21, 0, 0, 2)):
        refused(client, set_irqs(flags, index, start, count))
    client.close()


@case("section 5: SET_IRQS: exactly one kind and one action")
def irqs_with_strange_flags(path):
    client = Client(path)
    for flags in (0, 1, 2, 4, 8, 0x20, 0x27, 0x3f, 0x39, 0x23, 0x26, 0x80000024, 0x40, 0x64, BIG):
        for count in 0, 1:
            refused(client, set_irqs(flags, 0, 0, count))
    client.close()


@case("section 5: SET_IRQS: booleans")
def irqs_with_other_booleans(path):
    client = Client(path)
    for count, data in (1, b""), (1, b"\1\1"), (0, b"\1"), (2, b"\1"), (BIG, b"\1"):
        refused(client, set_irqs(0x22, 0, 0, count, data))
    for value in b"\0\1\2\xff":
        client.ask(set_irqs(0x2a - 8, 1, 0, 1, bytes([value])))
        works(client)
    for argsz in 0, 19:
        refused(client, message(wire.SET_IRQS, struct.pack("<IIIII", argsz, 0x21, 0, 0, 0)))
    client.close()


@case("peer bug: de-assigning one vector when start > 0 does nothing")
def vector_taken_away(path):
    """On a device with vectors enough: the second of many is closed, the others go on."""
    client = Client(path)
    event = os.eventfd(0, os.EFD_NONBLOCK)
    ok(client.ask(set_irqs(0x24, 1, 0, 1), [event]))
    ok(client.ask(set_irqs(0x24, 1, 0, 1)))
    client.ask(set_irqs(0x21, 1, 0, 1))
    try:
        os.read(event, 8)
        raise AssertionError("it was signalled after it was taken away")
    except BlockingIOError:
        pass
    client.close()
    os.close(event)


@case("section 5: the same eventfds again and again")
def irqs_set_again_and_again(path):
    client = Client(path)
    for i in range(300):
        event, index = os.eventfd(0), i // 30 % 2
        ok(client.ask(set_irqs(0x24, index, 0, 1), [event]))
        os.close(event)
        if i % 10 == 9:
            ok(client.ask(set_irqs(0x21, index, 0, 0)))
    client.close()


@case("section 5: masking what is not there, unmasking what was not masked")
def masks(path):
    client = Client(path)
    for flags in 0x09, 0x11, 0x0a, 0x12:
        data = b"\1" if flags & 2 else b""
        for index in range(5):
            client.ask(set_irqs(flags, index, 0, 1, data))
            works(client)
    for index in range(5):
        client.ask(set_irqs(0x0c, index, 0, 1))
        client.ask(set_irqs(0x14, index, 0, 1))
    works(client)
    client.close()


@case("7.2: argsz")
def information_with_other_argsz(path):
    client = Client(path)
    for argsz in 0, 15:
        for command, rest in (wire.INFO, 12), (wire.IRQ, 12), (wire.IO_FDS, 12):
            refused(client, message(command, struct.pack("<I", argsz) + bytes(rest)))
    for argsz in 0, 15, 31:
        refused(client, message(wire.REGION, struct.pack("<II", argsz, 0) + bytes(24)))
    for argsz in 32, 33, 4064, 1 << 31, BIG:
        reply = client.ask(message(wire.REGION, struct.pack("<III", argsz, 0, 7) + bytes(4068)))
        assert len(reply) == 48 and struct.unpack_from("<I", reply, 16)[0] == 32
    for argsz in 16, 24, 32, 1 << 31, BIG:
        assert len(client.ask(message(wire.INFO, struct.pack("<I", argsz) + bytes(12)))) in (32, 40)
    client.close()


@case("2.5, 2.7: indexes that are none")
def information_of_nothing(path):
    client = Client(path)
    for index in 9, 10, 99, 1 << 31, BIG:
        refused(client, message(wire.REGION, struct.pack("<IIIIQQ", 32, 0, index, 0, 0, 0)))
        refused(client, message(wire.IO_FDS, struct.pack("<IIII", 16, 0, index, 0)))
        refused(client, message(wire.IRQ, struct.pack("<IIII", 16, 0, index, 0)))
    refused(client, message(wire.IO_FDS, struct.pack("<IIII", 16, 1, 0, 0)))
    refused(client, message(wire.IO_FDS, struct.pack("<IIII", 16, 0, 0, 1)))
    client.close()


@case("6.3: features: flags and sizes")
def features(path):
    client = Client(path)
    for flags in 0, 0x10000, 0x20000, 0x30000, 0x40000, 0x70000, 0x80000, 0x1ffff, 0xffffffff:
        for argsz in 0, 7, 8, 24, BIG:
            for length in 0, 16, 4096, 100000:
                assert error(client.ask(message(wire.FEATURE, struct.pack("<II", argsz, flags) + bytes(length))))
    works(client)
    client.close()


@case("6.4: migration data of any size")
def migration_data(path):
    client = Client(path)
    for command in 17, 18:
        for size in 0, 8, 1 << 31, BIG:
            refused(client, message(command, struct.pack("<II", BIG, size)), ENOSYS)
    client.close()

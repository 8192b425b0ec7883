# SPDX-License-Identifier: MIT
"""DMA maps that lie, and files that change under them."""
import fcntl

from cases.common import *

F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE = 2, 4, 8


@case("7.2: sums of maps")
def maps_that_wrap(path):
    client = Client(path)
    fd = memfd()
    for iova, size, offset in ((0, 0, 0), (TOP - 4096, 8192, 0), (0x1000, 0x1000, 1 << 63),
                               (0x1000, 0x1000, TOP - 0x1000), (0x1000, TOP - 0x1000, 0),
                               (0x1000, (1 << 63) - 1, 1), (TOP - 1, 1, 0)):
        refused(client, dma_map(iova, size, 3, offset), EINVAL, [fd])
    for iova, size in (0, 0), (TOP - 4096, 8192), (2, TOP - 1), (TOP - 1, TOP - 1):
        refused(client, dma_map(iova, size))
    os.close(fd)
    client.close()


@case("4.1: flags of maps")
def maps_with_strange_flags(path):
    client = Client(path)
    for flags in 0, 4, 7, 8, 0x80000003, BIG:
        refused(client, dma_map(0x1000, 0x1000, flags))
    for argsz in 0, 31:
        refused(client, message(wire.MAP, struct.pack("<IIQQQ", argsz, 3, 0, 0x1000, 0x1000)))
    client.close()


@case("4.1: overlaps")
def maps_that_overlap(path):
    client = Client(path)
    fd = memfd()
    ok(client.ask(dma_map(0x10000, 0x10000), [fd]))
    for iova, size in ((0x10000, 0x10000), (0xf000, 0x1001), (0x1ffff, 1), (0x14000, 0x100), (0, 1 << 40)):
        refused(client, dma_map(iova, size), EEXIST)
        refused(client, dma_map(iova, size if size < 1 << 20 else 1 << 20), EEXIST, [fd])
    for iova, size in (0xf000, 0x1000), (0x20000, 0x1000), (TOP - 4096, 4096):
        ok(client.ask(dma_map(iova, size)))
    os.close(fd)
    client.close()


@case("peer bug: mapped memfd shorter than announced")
def file_too_short(path):
    client = Client(path)
    for size in 0, 1, 0xfff, 0x1fff:
        fd = memfd(size)
        refused(client, dma_map(0x1000, 0x2000), EINVAL, [fd])
        os.close(fd)
    fd = memfd(1 << 20)
    for offset, size in (1 << 20, 1), (0, (1 << 20) + 1), (0xff001, 0x1000), (1 << 40, 0x1000):
        refused(client, dma_map(0x1000, size, 3, offset), EINVAL, [fd])
    os.close(fd)
    client.close()


def both_ways(client, at, count=4096):
    bus_master(client)
    dma(client, at, INSIDE, count, 1)
    dma(client, INSIDE, at, count, 3)
    works(client)


@case("peer bug: memfd truncated later: SIGBUS")
def file_that_shrinks(path):
    for left in 0, 1, 0x800, 0x1000:
        client = Client(path)
        fd = memfd(0x2000)
        ok(client.ask(dma_map(0x1000, 0x2000), [fd]))
        both_ways(client, 0x1000)
        os.truncate(fd, left)
        both_ways(client, 0x1000)
        both_ways(client, 0x2000)
        client.close()
        os.close(fd)


@case("7.2: a file that shrinks and grows while it is used")
def file_that_breathes(path):
    client = Client(path)
    fd = memfd(0x4000)
    ok(client.ask(dma_map(0x1000, 0x4000), [fd]))
    for i in range(30):
        os.truncate(fd, (i % 5) * 0x1000)
        both_ways(client, 0x1000 + (i % 4) * 0x1000)
    client.close()
    os.close(fd)


@case("7.2: a file with holes, sealed late")
def file_with_holes(path):
    client = Client(path)
    fd = memfd(0x4000)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
    ok(client.ask(dma_map(0x1000, 0x2000), [fd]))
    both_ways(client, 0x1000)
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_SEAL_WRITE)
    except OSError:
        pass
    both_ways(client, 0x1000)
    client.ask(dma_map(0x8000, 0x2000), [fd])
    both_ways(client, 0x8000)
    client.close()
    os.close(fd)


@case("7.2: a file sealed against writing, to be written")
def file_that_must_not_be_written(path):
    client = Client(path)
    fd = memfd(0x4000, F_SEAL_SHRINK | F_SEAL_WRITE)
    for flags in 3, 2:
        client.ask(dma_map(0x1000, 0x1000, flags), [fd])
        both_ways(client, 0x1000)
        ok(client.ask(UNMAP_ALL))
    assert os.pread(fd, 4096, 0) == bytes(4096)
    client.close()
    os.close(fd)


@case("4.1: a map that may only be read is not written")
def read_only_map(path):
    client = Client(path)
    fd = memfd(0x2000)
    os.pwrite(fd, b"keep", 0)
    ok(client.ask(dma_map(0x1000, 0x1000, 1), [fd]))
    bus_master(client)
    dma(client, INSIDE, 0x1000, 64, 3)
    assert os.pread(fd, 4, 0) == b"keep"
    client.close()
    os.close(fd)


@case("peer bug: unaligned file offset, access past the mapping")
def unaligned_offsets(path):
    client = Client(path)
    for seals in 0, F_SEAL_SHRINK:
        fd = memfd(0x3000, seals)
        os.pwrite(fd, bytes(range(64)), 0x123)
        bus_master(client)
        for iova, size, offset in (0x10000, 0x1000, 0x123), (0x20001, 64, 0x123), (0x30fff, 0x2edd, 0x123):
            ok(client.ask(dma_map(iova, size, 3, offset), [fd]))
            dma(client, iova, INSIDE, 64, 1)
            os.pwrite(fd, bytes(64), 0x123)
            dma(client, INSIDE, iova, 64, 3)
            assert os.pread(fd, 64, 0x123) == bytes(range(64))
        dma(client, 0x20001, INSIDE, 65, 1)  # one more than there is
        ok(client.ask(UNMAP_ALL))
        os.close(fd)
    client.close()


@case("1.6: two fds for one map")
def map_with_several_fds(path):
    client = Client(path)
    fds = [memfd(0x1000) for _ in range(3)]
    os.pwrite(fds[0], b"first", 0)
    client.ask(dma_map(0x1000, 0x1000), fds)
    works(client)
    client.close()
    for fd in fds:
        os.close(fd)


@case("4.2: what is unmapped must be what was mapped")
def unmaps(path):
    client = Client(path)
    ok(client.ask(dma_map(0x10000, 0x10000)))
    for flags, iova, size in ((0, 0x10000, 0x1000), (0, 0x18000, 0x8000), (0, 0, 0), (2, 0x1000, 0),
                              (2, 0, 1), (1, 0x10000, 0x10000), (3, 0, 0), (4, 0x10000, 0x10000),
                              (0, TOP - 4096, 8192), (0, 0x10000, TOP - 1)):
        refused(client, unmap(iova, size, flags))
    refused(client, message(wire.UNMAP, struct.pack("<IIQQ", 23, 0, 0x10000, 0x10000)))
    assert struct.unpack_from("<Q", ok(client.ask(unmap(0x10000, 0x10000))), 32)[0] == 0x10000
    assert struct.unpack_from("<Q", ok(client.ask(unmap(0x10000, 0x10000))), 32)[0] == 0
    client.close()


@case("3.4: an unmap with an fd, as SPDK sends it")
def unmap_with_fds(path):
    client = Client(path)
    fd = memfd()
    for _ in range(20):
        ok(client.ask(dma_map(0x1000, 0x1000), [fd]))
        ok(client.ask(unmap(0x1000, 0x1000), [fd] * 7))
    client.close()
    os.close(fd)


@case("6.3: a bitmap of dirty pages that would not end")
def dirty_bitmaps(path):
    client = Client(path)
    ok(client.ask(dma_map(0x1000, 0x1000)))
    for pgsize in 0, 1, 3, 4096:
        for size in 0, 8, TOP - 1:
            refused(client, message(wire.UNMAP, struct.pack("<IIQQQQ", BIG, 1, 0x1000, 0x1000, pgsize, size)))
            reply = client.ask(message(wire.FEATURE, struct.pack("<IIQQQ", BIG, 0x10008, 0, size, pgsize)))
            assert error(reply)
    client.close()


@case("4.1: used after it was unmapped")
def used_after_unmap(path):
    client = Client(path)
    fd = memfd(0x2000, F_SEAL_SHRINK)
    os.pwrite(fd, b"keep", 0)
    ok(client.ask(dma_map(0x1000, 0x2000), [fd]))
    ok(client.ask(unmap(0x1000, 0x2000)))
    both_ways(client, 0x1000)
    assert os.pread(fd, 4, 0) == b"keep"
    client.close()
    os.close(fd)


@case("7.2: a limit on the number of maps")
def more_maps_than_allowed(path):
    client = Client(path)
    step = 500
    for first in range(0, 65535, step):
        last = min(first + step, 65535)
        client.send(b"".join(dma_map(i << 12, 4096) for i in range(first, last)))
        for _ in range(first, last):
            assert not error(client.receive())
    refused(client, dma_map(65535 << 12, 4096), ENOSPC)
    ok(client.ask(UNMAP_ALL))
    ok(client.ask(dma_map(0, 4096)))
    client.close()


@case("peer bug: maps are released one by one inside a request")
def many_maps_of_one_file(path):
    client = Client(path)
    fd = memfd()
    for _ in range(2):
        for i in range(1000):
            client.send(dma_map(i << 13, 4096, 3, (i % 256) << 12), [fd])
            if i % 100 == 99:
                for _ in range(100):
                    ok(client.receive())
        ok(client.ask(UNMAP_ALL))
    for i in range(500):
        client.send(dma_map(i << 13, 4096), [fd])
        ok(client.receive())
    client.close()
    os.close(fd)


@case("4.1: a map of everything, and of more than there is memory")
def huge_maps(path):
    client = Client(path)
    ok(client.ask(dma_map(0, TOP - 4096)))
    ok(client.ask(UNMAP_ALL))
    fd = memfd(1 << 44, F_SEAL_SHRINK)
    client.ask(dma_map(0, 1 << 44), [fd])
    both_ways(client, 0)
    client.close()
    os.close(fd)

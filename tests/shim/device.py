# SPDX-License-Identifier: MIT
"""Drives edu and shapes with what Python brings along: os, fcntl, mmap, select.

usage: device.py EDU SHAPES
"""
import fcntl
import mmap
import os
import select
import struct
import subprocess
import sys

edu_path, shapes_path = sys.argv[1:]


def ioc(direction, number, size):
    return direction << 30 | size << 16 | ord(";") << 8 | number


GET_FLAGS = ioc(2, 0xc0, 8)
GET_REGION_LEN = ioc(3, 0xc2, 8)
GET_REGION_OFFSET = ioc(3, 0xc4, 8)
SET_MSI_EVENTFDS = ioc(1, 0xcd, 4)


def ask(fd, request, value=0):
    buf = bytearray(struct.pack("<Q", value))
    fcntl.ioctl(fd, request, buf)
    return struct.unpack("<Q", buf)[0]


def get(fd, at):
    return struct.unpack("<I", os.pread(fd, 4, at))[0]


def put(fd, at, value):
    assert os.pwrite(fd, struct.pack("<I", value), at) == 4


def check(what, got, wanted):
    if got != wanted:
        print(f"{what}: got {got}, wanted {wanted}")
        sys.exit(1)


check("exists", os.path.exists(edu_path), True)
with open(edu_path, "rb") as f:
    table = f.read()
check("magic", table[:4], b"pci\0")
check("size in the header", struct.unpack_from("<I", table, 12)[0], len(table))

edu = os.open(edu_path, os.O_RDWR)
check("flags", ask(edu, GET_FLAGS), 5)
bar0 = ask(edu, GET_REGION_OFFSET, 0)
check("length", ask(edu, GET_REGION_LEN, 0), 1 << 20)
check("identification", get(edu, bar0), 0x010000ed)
put(edu, bar0 + 8, 10)
while get(edu, bar0 + 0x20) & 1:
    pass
check("10!", get(edu, bar0 + 8), 3628800)

event = os.eventfd(0) if hasattr(os, "eventfd") else None
if event is not None:
    # A message is a write to memory: it needs bus mastering.
    config = ask(edu, GET_REGION_OFFSET, 7)
    assert os.pwrite(edu, struct.pack("<H", 6), config + 4) == 2
    fcntl.ioctl(edu, SET_MSI_EVENTFDS, struct.pack("<ii", 1, event))
    put(edu, bar0 + 0x20, 0x80)
    put(edu, bar0 + 8, 5)
    ready, _, _ = select.select([event], [], [], 5)
    check("an interrupt", ready, [event])
    check("5!", get(edu, bar0 + 8), 120)

# Regions beyond the table, through a file object as well: it has nothing between it and the fd.
with open(edu_path, "r+b", buffering=0) as raw:
    raw.seek(bar0)
    check("a file object", raw.read(4), b"\xed\0\0\1")

shapes = os.open(shapes_path, os.O_RDWR)
bar0 = ask(shapes, GET_REGION_OFFSET, 0)
with mmap.mmap(shapes, 4096, offset=bar0 + 0x1000) as m:
    m[:4] = b"abcd"
    check("the device sees the map", os.pread(shapes, 4, bar0 + 0x1000), b"abcd")
    os.pwrite(shapes, b"efgh", bar0 + 0x1004)
    check("the map sees the device", m[4:8], b"efgh")
try:
    mmap.mmap(shapes, 4096, offset=ask(shapes, GET_REGION_OFFSET, 2))
    check("ports", "mapped", "refused")
except OSError as e:
    check("ports", e.errno, 22)

# A program that is executed finds the device on the fd that it inherits.
out = subprocess.run(["od", "-A", "n", "-t", "x1", "-N", "4"], stdin=edu, capture_output=True).stdout
check("inherited", out.split(), [b"70", b"63", b"69", b"00"])
os.close(edu)
try:
    os.pread(edu, 1, 0)
    check("closed", "read", "refused")
except OSError as e:
    check("closed", e.errno, 9)

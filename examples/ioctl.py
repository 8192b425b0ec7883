#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A device asked by its ioctls, and one register read, without any library: ioctl.py PATH"""
import fcntl
import os
import struct
import sys

GET_FLAGS = 0x80083BC0  # _IOR(';', 0xc0, u64)
GET_REGION_LEN = 0xC0083BC2  # _IOWR(';', 0xc2, u64)
GET_REGION_OFFSET = 0xC0083BC4  # _IOWR(';', 0xc4, u64)


def ask(fd, request, value=0):
    return struct.unpack("=Q", fcntl.ioctl(fd, request, struct.pack("=Q", value)))[0]


def main():
    if len(sys.argv) != 2:
        print("usage: ioctl.py PATH", file=sys.stderr)
        return 2
    fd = os.open(sys.argv[1], os.O_RDWR)
    flags = ask(fd, GET_FLAGS)
    names = [n for bit, n in enumerate(("PCI", "device tree", "reset")) if flags >> bit & 1]
    print("VFIO_DEVICE_GET_FLAGS:", ", ".join(names))
    print(f"VFIO_DEVICE_GET_REGION_LEN 0: {ask(fd, GET_REGION_LEN, 0):#x}")
    offset = ask(fd, GET_REGION_OFFSET, 0)
    print(f"VFIO_DEVICE_GET_REGION_OFFSET 0: {offset:#x}")
    register = int.from_bytes(os.pread(fd, 4, offset), "little")
    print(f"pread at {offset:#x}: {register:#010x}")
    return 0


try:
    sys.exit(main())
except OSError as error:
    sys.exit(f"ioctl.py: {sys.argv[1]}: {error.strerror}")

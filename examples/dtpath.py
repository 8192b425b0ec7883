#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where a device stands in the device tree, asked through its fd alone: dtpath.py PATH

Shows the three answers of VFIO_DEVICE_GET_DTPATH: the size, "too small", the path.
"""
import ctypes
import errno
import fcntl
import os
import struct
import sys

GET_DTPATH = 0xC0183BCA  # _IOWR(';', 0xca, 24 bytes): type, index, buf_len, 0, buf
REGION = 0


def get_dtpath(fd, size):
    """Ask with a buffer of `size` bytes. Returns (errno, buf_len, what the buffer holds)."""
    buf = ctypes.create_string_buffer(max(size, 1))
    arg = bytearray(struct.pack("=IIIIQ", REGION, 0, size, 0, ctypes.addressof(buf) if size else 0))
    code = 0
    try:
        fcntl.ioctl(fd, GET_DTPATH, arg)
    except OSError as error:
        code = error.errno
    return code, struct.unpack_from("=I", arg, 8)[0], buf.value.decode()


def main():
    if len(sys.argv) != 2:
        print("usage: dtpath.py PATH", file=sys.stderr)
        return 2
    fd = os.open(sys.argv[1], os.O_RDWR)
    size = 0
    for room in (0, 4, None):
        room = size if room is None else room
        code, size, path = get_dtpath(fd, room)
        print(f"GET_DTPATH with {room:2} bytes: {errno.errorcode.get(code, 'success')}, "
              f"buf_len {size} {path}".rstrip())
        if code not in (0, errno.ENOSPC):
            return 1
    return 0


try:
    sys.exit(main())
except OSError as error:
    sys.exit(f"dtpath.py: {sys.argv[1]}: {error.strerror}")

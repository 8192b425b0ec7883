#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the table of a device fd or of a saved file; written from docs/device-fd.md alone."""
import os
import struct
import sys

NUMBERS = ("MSI_VECTORS MSIX_VECTORS ERR_VECTORS REQ_VECTORS VENDOR_ID DEVICE_ID SUBSYSTEM_VENDOR_ID "
           "SUBSYSTEM_ID CLASS_CODE REVISION_ID NUMA_NODE").split()
# How the u32 at 12 (0), the u64 at 16 (1), the u64 at 24 (2), the u32 at 16 (3) and bytes (4) are shown
TEXTS = {1: "REGION {0}: at {1:#x}, {2:#x} bytes", 4: "INTERRUPT {0}: count {3}", 2: "DTPATH: {4}",
         3: "DTINDEX: property {0} entry {3}", 5: "PCI_CONFIG_SPACE", 6: "PCI_BAR_INDEX: {0}", 7: "PHYS_ADDR: {1:#x}",
         0x110: "NAME: {4}", 0x111: "COMPATIBLE: {4}", 0x180: "AREAS: {4}", 0x181: "CAP: {4}",
         0x182: "CONFIG_IMAGE: {0} bytes", **{0x100 + n: name + ": {1:#x}" for n, name in enumerate(NUMBERS)}}
FLAGS = {1: ("mappable", "read-only", "I/O ports"), 4: ("level", "maskable")}
# What has a meaning in a REGION, in an INTERRUPT and at the top; all else is skipped
PLACES = {1: {2, 3, 5, 6, 7, 0x180, 0x181}, 4: {2, 3}, 0: set(TEXTS) - {2, 3, 5, 6, 7, 0x180}}
PARTS = {1: 32, 4: 24}  # where sub-records start


def counted(kind, body, first, size):
    """The bytes whose length a record tells, as text"""
    start, length = {0x180: (4, 16 * first), 0x181: (12, size)}.get(kind, (4, first))
    data, = struct.unpack_from(f"{length}s", body, start)
    if kind == 0x180:
        return " ".join(f"{offset:#x}+{size:#x}" for offset, size in struct.iter_unpack("<QQ", data))
    if kind == 0x181:
        return f"{first & 0xffff} version {first >> 16}, {data.hex()}"
    return data[:-1].decode(errors="replace")


def print_records(table, pos, end, place):
    while pos < end:
        kind, length, flags = struct.unpack_from("<III", table, pos) if end - pos >= 16 else (0, 0, 0)
        known = kind in PLACES[place]
        if length < (PARTS.get(kind, 16) if known else 16) or length % 8 or length > end - pos:
            raise ValueError(f"offset {pos:#x}: a record of {length} bytes cannot be")
        body, text = table[pos + 12:pos + length], f"type {kind:#x}, skipped"
        if known:
            first, second, third = struct.unpack_from("<IQQ", body.ljust(20, b"\0"))
            size = second & 0xffffffff
            data = counted(kind, body, first, size) if "{4}" in TEXTS[kind] else ""
            words = [word for bit, word in enumerate(FLAGS.get(kind, ())) if flags >> bit & 1]
            text = ", ".join([TEXTS[kind].format(first, second, third, size, data)] + words)
        print("  " * bool(place) + text)
        if known and kind in PARTS:
            print_records(table, pos + PARTS[kind], pos + length, kind)
        pos += length


if len(sys.argv) != 2:
    print("usage: table-reader.py PATH", file=sys.stderr)
    sys.exit(2)
try:
    table = os.pread(os.open(sys.argv[1], os.O_RDONLY), 1 << 20, 0)
    magic, version, device_flags, size = struct.unpack("<4sIII", table[:16].ljust(16))
    if magic not in (b"pci\0", b"dt\0\0", b"dev\0") or version != 1 or size > len(table):
        raise ValueError("not a whole table of version 1")
    print(f"{magic.decode().strip(chr(0))}, {size} bytes" + (", reset" if device_flags & 4 else ""))
    print_records(table, 16, size, 0)
except OSError as error:
    sys.exit(f"table-reader: {sys.argv[1]}: {error.strerror}")
except (ValueError, struct.error) as error:
    sys.exit(f"table-reader: {error}")

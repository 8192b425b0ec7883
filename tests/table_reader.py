#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The independent reader on golden tables, newer ones and corrupt ones; the document shows real tables.

usage: table_reader.py [--write] ROOT
"""
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

WRITE = sys.argv[1] == "--write"
ROOT = Path(sys.argv[-1])
DATA = ROOT / "tests" / "data"
failed = []


def read(path):
    return subprocess.run([ROOT / "examples" / "table-reader.py", path], capture_output=True, text=True)


def must(what, ok, detail=""):
    if not ok:
        failed.append(what)
        print(f"does not hold: {what}\n{detail}")


def read_bytes(table):
    with tempfile.NamedTemporaryFile() as file:
        file.write(table)
        file.flush()
        return read(file.name)


def insert(table, parents, at, record):
    """Put a record into a table, and into the records that start at the offsets in parents."""
    table = table[:at] + record + table[at:]
    for where in [12 - 4] + parents:  # the size of the table stands at 12, a rec_len at 4
        length, = struct.unpack_from("<I", table, where + 4)
        table = table[:where + 4] + struct.pack("<I", length + len(record)) + table[where + 8:]
    return table


for path in sorted(DATA.glob("*.dfd")):
    result, text = read(path), path.with_suffix(".txt")
    if WRITE:
        text.write_text(result.stdout)
    must(f"{path.name} is read as {text.name} says", result.stdout == text.read_text(), result)
    must(f"{path.name}: no complaint", (result.returncode, result.stderr) == (0, ""), result)

# REGION 0 at 0x10 with PCI_BAR_INDEX at 0x30; REGION 7 at 0x40.
edu = (DATA / "edu.dfd").read_bytes()
unknown = struct.pack("<8I", 0x7777, 32, 0, 0, 1, 2, 3, 4)
newer = insert(edu, [], 0x10, unknown)
must("an unknown record is skipped", "\ntype 0x7777, skipped\nREGION 0" in read_bytes(newer).stdout)
newer = insert(edu, [0x10], 0x30, unknown)
must("an unknown record in a region is skipped", "\n  type 0x7777, skipped\n  PCI_BAR_INDEX: 0\nREGION 7" in
     read_bytes(newer).stdout, read_bytes(newer))
newer = insert(edu, [], 0x10, edu[0x30:0x40])
must("a known record in a new place is skipped", "\ntype 0x6, skipped\n" in read_bytes(newer).stdout)
longer = insert(edu, [0x10, 0x30], 0x40, b"\xff" * 8)
must("a longer body is read as far as known", read_bytes(longer).stdout.splitlines()[1:] ==
     read(DATA / "edu.dfd").stdout.splitlines()[1:], read_bytes(longer))

for what, table, says in (
        ("an empty file", b"", "not a whole table of version 1"),
        ("another file", b"#!/bin/sh\n" * 9, "not a whole table of version 1"),
        ("half a table", edu[:100], "not a whole table of version 1"),
        ("version 2", edu[:4] + b"\2" + edu[5:], "not a whole table of version 1"),
        ("a record of 0 bytes", edu[:0x44] + b"\0" + edu[0x45:], "offset 0x40: a record of 0 bytes"),
        ("a record past its parent", edu[:0x34] + b"\x18" + edu[0x35:], "offset 0x30: a record of 24 bytes"),
        ("a region of 24 bytes", edu[:0x14] + b"\x18" + edu[0x15:], "offset 0x10: a record of 24 bytes"),
):
    result = read_bytes(table)
    must(f"{what} is refused in one line", result.returncode == 1 and says in result.stderr and
         result.stderr.count("\n") == 1, result)

document = (ROOT / "docs" / "device-fd.md").read_text()
for name in ("edu", "pl011"):
    dump = (DATA / f"{name}.dump").read_text()
    must(f"docs/device-fd.md shows {name}.dump", f"```\n{dump}```\n" in document)
sys.exit(bool(failed))

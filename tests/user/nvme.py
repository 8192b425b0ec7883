#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The NVMe driver of examples/ on a served controller. usage: nvme.py DEVFD NVME"""
import os
import subprocess
import sys
import tempfile

import wire

DEVFD, NVME = sys.argv[1:]
BLOCK = 512


def nvme(address, *args):
    out = subprocess.run([NVME, address, *args], capture_output=True, text=True, timeout=300)
    return out.returncode, out.stdout, out.stderr


def fails(address, *args, status, text):
    code, out, err = nvme(address, *args)
    assert (code, out) == (status, "") and text in err and err.count("\n") == 1, (args, code, out, err)


def works(address, *args, text):
    code, out, err = nvme(address, *args)
    assert (code, err) == (0, "") and text in out, (args, code, out, err)


def verbs(address, doorbells):
    """By interrupt and by polling, from the first block to the last."""
    works(address, "identify", text=f"doorbells in {doorbells}")
    works(address, "identify", text="8192 blocks of 512 bytes")
    for n, way in enumerate(([], ["--poll"], ["--fua"])):
        works(address, *way, "write", "8000", "192", str(n), text="192 blocks from 8000")
        works(address, *way, "verify", "8000", "192", str(n), text="192 blocks from 8000")
        works(address, *way, "read", "0", "8", text="8 blocks from 0, hash 0x")
        fails(address, *way, "verify", "8000", "1", "77", status=1, text="holds other bytes")
        fails(address, *way, "write", "8191", "2", status=1, text="status 0x4080")


def mistakes(address, image):
    """Nothing is written by mistake."""
    before = open(image, "rb").read()
    for wrong in ["abc", "1"], ["0", "1x"], ["-1", "1"], ["", "1"], ["99999999999999999999", "1"], ["0", "1", "x"]:
        fails(address, "write", *wrong, status=2, text="is no number")
    assert open(image, "rb").read() == before
    fails("model:edu", "identify", status=1, text="the device is no NVMe controller")


def main():
    with tempfile.TemporaryDirectory(prefix="devfd-nvme-") as folder:
        image = os.path.join(folder, "disk")
        spec = f"model:nvme,image={image},size=4M"
        for options, poll, doorbells in ("", [], "registers"), (",doorbells=mapped", ["--poll"], "memory"):
            with wire.Server(DEVFD, spec + options, *poll) as server:
                verbs("user:" + server.path, doorbells)
                mistakes("user:" + server.path, image)
        assert os.path.getsize(image) == 8192 * BLOCK
        with wire.Server(DEVFD, spec + ",readonly") as near, wire.Server(DEVFD, "user:" + near.path) as far:
            fails("user:" + far.path, "write", "0", "1", status=1, text="status 0x4020")
            works("user:" + far.path, "verify", "8000", "192", "2", text="192 blocks")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A sandbox: run a program in which one system call fails with EPERM.

usage: forbid.py NUMBER[:ARGUMENT=VALUE] PROGRAM ARGS...    only with that value, arguments from 0
"""
import ctypes
import os
import struct
import sys

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x50001


def op(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)


def main():
    number, _, condition = sys.argv[1].partition(":")
    steps = [op(LOAD, 0)]
    if condition:
        argument, _, value = condition.partition("=")
        steps += [op(EQUAL, int(number), 0, 3), op(LOAD, 16 + 8 * int(argument)),
                  op(EQUAL, int(value), 0, 1)]
    else:
        steps += [op(EQUAL, int(number), 0, 1)]
    steps += [op(RETURN, FAIL), op(RETURN, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, ctypes.byref(ctypes.create_string_buffer(program))):
        sys.exit("no seccomp")
    os.execv(sys.argv[2], sys.argv[2:])


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The matrix of all boots, without a boot.

usage: matrix_test.py VM_MATRIX
"""
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import matrix

HERE = Path(__file__).resolve().parent
VM_MATRIX = sys.argv.pop(1)
SOURCES = {"model": "a model", "group": "a group", "cdev": "a file"}
DIFFERENCES = """\
# a comment, and an empty line

dma,irq  group,cdev  EINVAL  # drivers/file.c
open     model       ok      # each is its own
"""
CELLS = ["open model EBUSY ok", "open group EBUSY EBUSY", "open cdev EBUSY EBUSY",
         "dma model ok ok", "dma group ok EINVAL", "dma cdev ok EINVAL",
         "irq model ok none", "irq group ok EINVAL", "irq cdev ok EINVAL"]


def build(cells, differences=DIFFERENCES):
    m = matrix.Matrix(differences)
    for cell in cells:
        m.take(cell)
    return m


@mock.patch.object(matrix, "SOURCES", SOURCES)
class Merge(unittest.TestCase):
    def problems(self, cells, differences=DIFFERENCES, whole=True):
        m = build(cells, differences)
        return [*m.problems(), *(m.never() if whole else ())]

    def test_lists_stand_for_all_in_them(self):
        self.assertEqual(list(matrix.entries(DIFFERENCES)),
                         [("dma", "group"), ("dma", "cdev"), ("irq", "group"), ("irq", "cdev"),
                          ("open", "model")])

    def test_whole(self):
        self.assertEqual(self.problems(CELLS), [])

    def test_source_that_never_ran(self):
        some = [cell for cell in CELLS if " cdev " not in cell]
        self.assertEqual(self.problems(some), [
            "cdev: was never tried",
            "dma cdev: a difference is expected, and the source was never tried",
            "irq cdev: a difference is expected, and the source was never tried"])

    def test_part_of_the_boots(self):
        some = [cell for cell in CELLS if " cdev " not in cell]
        self.assertEqual(self.problems(some, whole=False), [])

    def test_case_that_there_is_not(self):
        for whole in (False, True):
            self.assertEqual(
                self.problems(CELLS, DIFFERENCES + "old cdev ok # gone\n", whole),
                ["old cdev: a difference is expected of a case that there is not"])

    def test_unknown_source(self):
        self.assertEqual(self.problems(CELLS + ["dma gruop ok ok"], whole=False),
                         ["gruop: no such source is known"])

    def test_entry_of_unknown_source(self):
        self.assertEqual(
            self.problems(CELLS, DIFFERENCES + "dma gruop ok # a slip\n"),
            ["dma gruop: a difference is expected, and the source was never tried"])

    def test_boots_that_do_not_agree(self):
        self.assertEqual(self.problems(CELLS + ["dma group ok EFAULT"]),
                         ["dma group: EINVAL, and in another boot EFAULT"])
        self.assertEqual(self.problems(CELLS + ["dma model EIO ok"]),
                         ["dma: two programs do not expect the same"])

    def test_case_that_nobody_could_try(self):
        cells = ["low model ok none", "low group ok none", "low cdev ok -"]
        self.assertEqual(self.problems(CELLS + cells),
                         ["low: no source has anything to try it on"])
        self.assertEqual(self.problems(CELLS + cells, whole=False), [])

    def test_text(self):
        cells = CELLS + ["last group not_offered a_b", "last cdev not_offered -"]
        self.assertEqual(build(cells).text(), """\
                  1  2  3
open EBUSY        A  .  .
dma  ok           .  B  B
irq  ok           -  B  B
last not offered     C  x

 1 model        a model
 2 group        a group
 3 cdev         a file
 . as expected   - nothing to try it on   x left out
 A ok
 B EINVAL
 C a b""")


class Real(unittest.TestCase):
    """What vm-matrix prints is what is read here, and the real list names no unknown source."""

    def test_cells(self):
        file = HERE / "matrix.txt"
        done = subprocess.run([VM_MATRIX, file, "model=model:edu"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        m = build([line.removeprefix("matrix ") for line in done.stdout.splitlines()
                   if line.startswith("matrix ")], file.read_text())
        self.assertEqual(list(m.problems()), [])
        self.assertEqual(m.sources(), ["model"])
        self.assertEqual(set(source for _, source in m.entries) - set(matrix.SOURCES), set())
        self.assertEqual(set(case for case, _ in m.entries) - set(m.expected), set())


unittest.main()

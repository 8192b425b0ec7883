# SPDX-License-Identifier: MIT
"""Finds PCI functions as user-space drivers do: by the directories and links of sysfs."""
import os

BUS = "/sys/bus/pci/devices"


def attribute(function, name):
    with open(f"{BUS}/{function}/{name}", encoding="ascii") as f:
        return f.read().strip()


def bars(function):
    for number, line in enumerate(attribute(function, "resource").splitlines()[:6]):
        start, last, flags = (int(word, 16) for word in line.split())
        if flags & 0x200:
            yield f"BAR{number} {start:#x}+{last - start + 1:#x}"


def link(function, name):
    return os.path.basename(os.readlink(f"{BUS}/{function}/{name}"))


for entry in sorted(os.scandir(BUS), key=lambda e: e.name):
    f = entry.name
    print(f, f"{attribute(f, 'vendor')}:{attribute(f, 'device')}", "class", attribute(f, "class"),
          "node", attribute(f, "numa_node"), *bars(f), link(f, "driver"), "group",
          link(f, "iommu_group"))

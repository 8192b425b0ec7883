# SPDX-License-Identifier: MIT
"""A guest on an NVMe disk whose power goes, again and again: see guest/power.sh.

The image sits on a disk that forgets (tests/power/volatile.c), and killing the server is the loss
of power. A QEMU cannot connect again, so each life of the disk is a server and a slot of its own.
"""
import os

import machine
import user

LIVES = 6
DEAF = 5  # the one in which fdatasync does nothing


class Test:
    def __init__(self, name, tests, qemu, kernel, modules):
        self.name, self.tests, self.qemu, self.kernel = name, tests, qemu, kernel
        wanted = tests.folder / "power-disk"
        wanted.write_bytes(os.urandom(user.DISK_SIZE))
        tests.expected.append(f"--file=/expect/disk={wanted}")
        self.initrd = tests.initramfs(name, *modules)
        self.image = tests.folder / "power.img"
        self.image.write_bytes(bytes(user.DISK_SIZE))
        self.lives = []

    def begin(self):
        """The next life. Returns its device."""
        number = len(self.lives) + 1
        env = {"LD_PRELOAD": str(self.tests.build / "tests/power/volatile.so"),
               "VOLATILE_DISK": str(self.image)}
        if number == DEAF:
            env["VOLATILE_DEAF"] = "1"
        # A kernel does not take two controllers with one serial number.
        server = user.Server(self.tests.build / "tools/devfd", f"life-{number}",
                             f"model:nvme,image={self.image},serial=life-{number}",
                             self.tests.folder, env)
        self.lives.append(server)
        return server.description(id=f"life-{number}", bus=f"rp{number}")

    def next(self, process, qmp):
        """The power goes, and comes back with the disk in another slot."""
        machine.cut(process, self.lives[-1].process)
        qmp.send("device_add", **self.begin())

    def run(self):
        slots = [word for n in range(1, LIVES + 1)
                 for word in ("-device", f"pcie-root-port,id=rp{n},chassis={n},addr={n}")]
        slots += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
        try:
            devices = user.SHARED + slots + user.as_option(self.begin())
            boot = machine.run(self.kernel, self.initrd, self.tests.append("power", user.APPEND),
                               devices, self.tests.folder / self.name, user.LIMIT, self.qemu,
                               functions={"next": self.next})
        finally:
            for server in self.lives:
                server.stop()
        print(f"{self.name}: {self.kernel.name}: {boot.seconds:.1f} s")
        self.tests.judge(self.name, boot)

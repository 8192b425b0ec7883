# SPDX-License-Identifier: MIT
"""A QEMU that speaks vfio-user, on devices that `devfd serve` serves beside it.

The servers live as long as the test; each part is a QEMU of its own, and some of these are killed.
The guest asks for it: see machine.py. What it does is in guest/user.sh.
"""
import json
import os
import signal
import subprocess
import time

import machine

DISK_SIZE = 8 << 20
LIMIT = 300  # seconds for one part; the first one boots twice
START = 10   # seconds for a server until it listens
END = 5      # and until it has ended after SIGTERM

# The servers see the guest's memory as files. The guest may reboot.
MACHINE = ["-object", "memory-backend-memfd,id=ram,size=512M,share=on",
           "-machine", "memory-backend=ram", "-action", "reboot=reset"]
IOMMU = ["-device", "intel-iommu,intremap=on,caching-mode=on"]
# A guest whose disk has gone shall find out in seconds. It may read BARs through /dev/mem.
APPEND = "nvme_core.io_timeout=5 nvme_core.admin_timeout=5 iomem=relaxed"


class Server:
    """One `devfd serve`. Its socket is named relative to the folder: its path may not be long."""

    def __init__(self, devfd, name, address, folder):
        self.name, self.folder = name, folder
        self.log = open(folder / f"{name}.log", "w")
        self.process = subprocess.Popen([devfd, "serve", address, "--socket", f"{name}.sock"],
                                        cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        end = time.monotonic() + START
        while not (folder / f"{name}.sock").exists() and time.monotonic() < end:
            time.sleep(0.01)

    def device(self, slot):
        """As QEMU, which runs in a folder below, is told about it."""
        return ["-device", json.dumps({
            "driver": "vfio-user-pci", "addr": str(slot),
            "socket": {"type": "unix", "path": f"../{self.name}.sock"}})]

    def problem(self):
        """Why it is not there any more, or None."""
        status = self.process.poll()
        if status is None:
            return None
        return f"exit status {status}: {(self.folder / f'{self.name}.log').read_text()[-300:]}"

    def stop(self):
        """Asks it to end. Returns its exit status, None if it does not end."""
        self.process.terminate()
        try:
            return self.process.wait(END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Test:
    def __init__(self, tests, qemu, kernel, modules):
        self.tests, self.tally = tests, tests.tally
        self.qemu, self.kernel = qemu, kernel
        self.wanted = os.urandom(DISK_SIZE)
        self.image = tests.folder / "nvme.img"
        self.image.write_bytes(bytes(DISK_SIZE))
        (tests.folder / "disk").write_bytes(self.wanted)
        tests.expected.append(f"--file=/expect/disk={tests.folder / 'disk'}")
        self.initrd = tests.initramfs("user", *modules)

    def run(self):
        devfd, folder = self.tests.build / "tools/devfd", self.tests.folder
        servers = [Server(devfd, "edu", "model:edu", folder),
                   Server(devfd, "nvme", f"model:nvme,image={self.image}", folder)]
        try:
            self.parts(*servers)
        finally:
            status = {server.name: server.stop() for server in servers}
        self.tally.check("user/edu-server-ends",
                         None if status["edu"] == 0 else f"exit status {status['edu']}")

    def parts(self, edu, nvme):
        boot = self.part(1, "intel_iommu=on", IOMMU, edu, nvme)
        self.tally.check("user-1/killed", None if boot.status == -signal.SIGKILL
                         else f"QEMU's exit status is {boot.status}")
        for server in (edu, nvme):
            self.tally.check(f"user-1/{server.name}-server-stays", server.problem())
        self.compare("user-1/image")
        self.part(2, "intel_iommu=off", [], edu, nvme)
        self.tally.check("user-2/edu-server-stays", edu.problem())
        self.compare("user-2/image")

    def part(self, number, append, devices, edu, nvme):
        name = f"user-{number}"
        append = self.tests.append("user", f"devfd.part={number} {APPEND} {append}")
        boot = machine.run(self.kernel, self.initrd, append,
                           [*MACHINE, *devices, *edu.device(1), *nvme.device(2)],
                           self.tests.folder / name, LIMIT, self.qemu,
                           {"edu": edu.process, "nvme": nvme.process})
        print(f"{name}: {self.kernel.name}: {boot.seconds:.1f} s")
        self.tests.judge(name, boot)
        return boot

    def compare(self, name):
        """The disk as the host sees it."""
        there = self.image.read_bytes()
        self.tally.check(name, None if there == self.wanted else "not what the guest has written")

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
SERIAL_SIZE = 10000  # what the guest sends to a serial card
LIMIT = 300  # seconds for one part; the first one boots twice
START = 60   # seconds for a server until it listens
END = 60     # and until it has ended after SIGTERM

REBOOT = ["-action", "reboot=reset"]
# Servers get the guest's memory as a file.
SHARED = ["-object", "memory-backend-memfd,id=ram,size=512M,share=on",
          "-machine", "memory-backend=ram"]
# QEMU's own NVMe controller beside ours.
OWN = ["-blockdev", "file,node-name=own,filename=../own.img",
       "-device", "nvme,addr=5,drive=own,serial=own"]
# A slot that is unplugged by its own registers and not by ACPI.
SLOT = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
        "-device", "pcie-root-port,id=rp0,chassis=1,addr=6"]
IOMMU = ["-device", "intel-iommu,intremap=on,caching-mode=on"]
# A guest whose disk has gone shall find out in seconds. It may read BARs through /dev/mem.
APPEND = "nvme_core.io_timeout=5 nvme_core.admin_timeout=5 iomem=relaxed"


def as_option(description):
    return ["-device", json.dumps(description)]


class Server:
    """One `devfd serve`. Its socket is named relative to the folder: its path may not be long."""

    def __init__(self, devfd, name, address, folder, env=None):
        self.name, self.folder = name, folder
        self.log = open(folder / f"{name}.log", "w")
        self.process = subprocess.Popen([devfd, "serve", address, "--socket", f"{name}.sock"],
                                        cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env={**os.environ, **(env or {})})
        end = time.monotonic() + START
        while not (folder / f"{name}.sock").exists() and time.monotonic() < end:
            time.sleep(0.01)

    def description(self, **where):
        """As QEMU, which runs in a folder below, is told about it."""
        return {"driver": "vfio-user-pci", **where,
                "socket": {"type": "unix", "path": f"../{self.name}.sock"}}

    def device(self, **where):
        return as_option(self.description(**where))

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
    def __init__(self, name, tests, qemu, kernel, modules):
        self.name, self.tests, self.tally = name, tests, tests.tally
        self.qemu, self.kernel = qemu, kernel
        self.servers = {}
        self.wanted = os.urandom(DISK_SIZE)
        self.image = tests.folder / "nvme.img"
        for path in (self.image, tests.folder / "own.img"):
            path.write_bytes(bytes(DISK_SIZE))
        self.sent = tests.folder / f"{name}-serial.txt"
        (tests.folder / "disk").write_bytes(self.wanted)
        tests.expected.append(f"--file=/expect/disk={tests.folder / 'disk'}")
        self.initrd = tests.initramfs(name, *modules)

    def serve(self):
        """All servers by name. The last is for the slot, the others go to addresses from 1 on."""
        addresses = {
            "edu": "model:edu",
            "nvme": f"model:nvme,image={self.image}",
            "echoing": "model:uart",
            "writing": f"model:uart,backend=file={self.sent}",
            "hot": "model:edu",
        }
        devfd, folder = self.tests.build / "tools/devfd", self.tests.folder
        for name, address in addresses.items():
            self.servers[name] = Server(devfd, name, address, folder)

    def run(self):
        try:
            self.serve()
            self.parts()
        finally:
            status = {name: server.stop() for name, server in self.servers.items()}
        del status["nvme"]  # was killed
        self.tally.check(f"{self.name}/servers-end", f"exit status {status}" if any(status.values())
                         or None in status.values() else None)

    def parts(self):
        boot = self.part("reboot", "intel_iommu=on", SHARED + IOMMU + REBOOT + OWN)
        self.tally.check(f"{self.name}-reboot/killed", None if boot.status == -signal.SIGKILL
                         else f"QEMU's exit status is {boot.status}")
        self.compare(f"{self.name}-reboot/serial-sent", self.sent, self.wanted[:SERIAL_SIZE])
        for name in ("edu", "hot"):
            self.drive(name)
        self.part("messages", "intel_iommu=off", [])
        self.part("death", "intel_iommu=off", SHARED, {"nvme"})

    def part(self, name, append, devices, killed=frozenset()):
        """One QEMU on all servers. All but the killed ones, and the image, are well after it."""
        append = self.tests.append("user", f"devfd.part={name} {APPEND} {append}")
        name = f"{self.name}-{name}"
        *fixed, hot = self.servers.values()
        for addr, server in enumerate(fixed, 1):
            devices = devices + server.device(addr=str(addr))
        devices = devices + SLOT + hot.device(id="hot", bus="rp0")
        boot = machine.run(self.kernel, self.initrd, append, devices, self.tests.folder / name,
                           LIMIT, self.qemu,
                           {name: server.process for name, server in self.servers.items()})
        print(f"{name}: {self.kernel.name}: {boot.seconds:.1f} s")
        self.tests.judge(name, boot)
        for server in self.servers.values():
            if server.name not in killed:
                self.tally.check(f"{name}/{server.name}-server-stays", server.problem())
        self.compare(f"{name}/image", self.image, self.wanted)
        return boot

    def drive(self, name):
        """A driver of the host after QEMU: the same as on the model without a server."""
        done = subprocess.run([self.tests.build / "examples/edu", f"user:{name}.sock",
                               str(self.tests.n), str(self.tests.seed)], capture_output=True,
                              cwd=self.tests.folder, timeout=LIMIT)
        wanted = (self.tests.folder / "edu").read_bytes()
        self.tally.check(f"{self.name}/{name}-next-driver", None if done.stdout == wanted
                         else f"exit status {done.returncode}: {done.stderr.decode()}")

    def compare(self, name, path, wanted):
        """What the guest has written, as the host sees it."""
        there = path.read_bytes()
        self.tally.check(name, None if there == wanted else f"{path} holds other bytes")

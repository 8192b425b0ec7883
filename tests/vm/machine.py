# SPDX-License-Identifier: MIT
"""One boot of a guest, and what it reports.

An x86-64 guest has two serial ports. The first is its console: kernel messages and what commands print.
On the second it reports, one line each, so that nothing comes between:

    check NAME: ok          a check has passed
    check NAME: FAIL: TEXT  or not
    note NAME: TEXT         something for the host to look at
    matrix CELL             what one case of vm-matrix has given: see matrix.py
    host COMMAND ID         a QMP command to run with "id", such as device_del
    kill NAME               kill -9 of a process: "qemu", or one of those that run() was given
    call NAME               a function that run() was given, with QEMU's process and monitor
    done                    the guest has come to its end
"""
import json
import os
import re
import signal
import socket
import subprocess
import time

QEMU = "qemu-system-x86_64"
QEMU_ARM64 = "qemu-system-aarch64"
LIMIT = 120  # seconds for one boot
TICK = 0.05
SETTLE = 60  # seconds at most until a server has answered everything

# TCG always: a /dev/kvm that is there may hang. No default devices and no option ROMs, which cost
# seconds. Without no_timer_check a kernel on a busy host may see its timer fail and panic. A kernel
# without ASPM leaves slots to the firmware, which does not unplug by their registers: pcie_ports.
COMMON = ["-accel", "tcg", "-smp", "1", "-m", "512", "-nodefaults", "-no-user-config",
          "-display", "none", "-no-reboot"]
X86_64 = ["-machine", "q35,kernel-irqchip=split", "-cpu", "max",
          "-serial", "file:console", "-serial", "file:report"]
# There is one port only: the report is on the console, too.
ARM64 = ["-cpu", "cortex-a57", "-serial", "file:console"]
APPEND = "no_timer_check panic=-1 pcie_ports=native loglevel=6"
TROUBLE = re.compile(r"^\[ *[\d.]+\] .*(BUG:|Oops|WARNING:|Call Trace|Kernel panic)", re.M)


class Boot:
    """What a boot has said: checks as (name, problem or None), notes by name, cells of the matrix."""

    def __init__(self, folder):
        self.folder = folder
        self.checks, self.notes, self.done, self.why = [], {}, False, ""
        self.cells = []
        self.status = None  # QEMU's, if it has ended by itself or was killed for the guest
        self.seconds = 0.0

    def console(self):
        """From the first process on."""
        text = (self.folder / "console").read_text(errors="replace").replace("\r", "")
        return text[max(text.find("\ninit: "), 0):]

    def take(self, line):
        """Reads one line of the report. Returns what it asks the host to do, as words."""
        word, _, rest = line.partition(" ")
        if word == "check":
            name, _, result = rest.partition(": ")
            self.checks.append((name, None if result == "ok" else result.removeprefix("FAIL: ")))
        elif word == "note":
            name, _, text = rest.partition(": ")
            self.notes[name] = text
        elif word == "matrix":
            self.cells.append(rest)
        elif word in ("host", "kill", "call"):
            return line.split(" ", 2)
        elif word == "done":
            self.done = True
        return None


class Reader:
    """Whole lines of a file that grows."""

    def __init__(self, path):
        self.file = open(path, errors="replace")
        self.rest = ""

    def lines(self):
        *whole, self.rest = (self.rest + self.file.read()).replace("\r", "").split("\n")
        return whole


class Qmp:
    """QEMU's monitor. Answers are not waited for: what counts is what the guest sees."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.relpath(path))
        self.send("qmp_capabilities")

    def send(self, command, **arguments):
        message = {"execute": command, "arguments": arguments}
        try:
            self.socket.sendall(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            pass  # QEMU has ended, which is told by its status


def state(process):
    """One letter, as ps has it."""
    with open(f"/proc/{process.pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0]


def cut(qemu, server):
    """kill -9 of a server of a running QEMU, at a moment when no request of QEMU's is unread.

    A request that is unread resets the connection, and over that QEMU 11.1 aborts: it sets an error
    twice. So QEMU is stopped until the server has answered everything and sleeps.
    """
    qemu.send_signal(signal.SIGSTOP)
    end = time.monotonic() + SETTLE
    asleep = 0
    while asleep < 3 and time.monotonic() < end:
        asleep = asleep + 1 if state(qemu) == "T" and state(server) == "S" else 0
        time.sleep(0.005)
    server.kill()
    server.wait()
    qemu.send_signal(signal.SIGCONT)


# Files are named relative to the folder of the boot, QEMU's working directory: the path of a socket
# may not be long.
def command_line(qemu, kernel, initrd, append, devices):
    machine, port = (ARM64, "ttyAMA0") if qemu == QEMU_ARM64 else (X86_64, "ttyS0")
    return [str(qemu), *COMMON, *machine, *devices, "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", f"console={port} {APPEND} {append}",
            "-qmp", "unix:qmp,server=on,wait=off"]


def follow(processes, functions, boot, limit):
    """Reads the report until QEMU ends."""
    process = processes["qemu"]
    where = "console" if process.args[0] == QEMU_ARM64 else "report"
    start = time.monotonic()
    report = qmp = None
    while True:
        ended = process.poll() is not None
        boot.seconds = time.monotonic() - start
        if report is None and (boot.folder / where).exists():
            report = Reader(boot.folder / where)
        for line in report.lines() if report else []:
            wish = boot.take(line)
            if wish and wish[0] == "kill" and wish[1] != "qemu":
                cut(process, processes[wish[1]])
            elif wish and wish[0] == "kill":
                process.kill()
            elif wish:
                qmp = qmp or Qmp(boot.folder / "qmp")
                if wish[0] == "call":
                    functions[wish[1]](process, qmp)
                else:
                    qmp.send(wish[1], id=wish[2])
        if ended:
            boot.status = process.returncode
            return
        if boot.seconds > limit:
            boot.why = f"not at its end after {limit} s"
            return
        time.sleep(TICK)


def last_words(messages):
    """What QEMU has said, without the registers of a processor."""
    return re.split(r"^CPU #", messages.read_text(), flags=re.M)[0].strip()


def run(kernel, initrd, append, devices, folder, limit=LIMIT, qemu=QEMU, processes=None,
        functions=None):
    """Boots once; returns a Boot, whose `done` says whether the guest came to its end."""
    folder.mkdir(parents=True)
    boot = Boot(folder)
    with open(folder / "qemu", "w") as messages:
        process = subprocess.Popen(command_line(qemu, kernel, initrd, append, devices),
                                   cwd=folder, stdin=subprocess.DEVNULL, stdout=messages,
                                   stderr=messages)
        try:
            follow({"qemu": process, **(processes or {})}, functions or {}, boot, limit)
        finally:
            process.kill()
            process.wait()
    if not boot.done and not boot.why:
        boot.why = f"QEMU ended before its guest: {last_words(folder / 'qemu')}"
    return boot

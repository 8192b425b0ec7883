# SPDX-License-Identifier: MIT
"""Threads, forks, pipes, maps and duplicates that have nothing to do with a device."""
import fcntl
import mmap
import os
import select
import subprocess
import sys
import tempfile
import threading

lines = []


def work(number):
    with tempfile.TemporaryFile() as f:
        f.write(bytes([number]) * 100000)
        f.seek(0)
        copy = os.dup(f.fileno())
        os.lseek(copy, 99990, os.SEEK_SET)
        lines.append((number, len(f.raw.read()), os.pread(copy, 2, 7)))
        os.close(copy)


threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for t in threads:
    t.start()
for i in range(10):
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(w, 1)
        os.write(1, b"child %d\n" % i)
        os._exit(i)
    os.close(w)
    print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os.close(r)
for t in threads:
    t.join()
print(sorted(lines))

with open("file", "w+b") as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 4096, offset=4096) as m:
        m[0:4] = b"abcd"
    print(os.pread(f.fileno(), 6, 4096), os.fstat(f.fileno()).st_size, f.seek(0, 2))
    duplicate = fcntl.fcntl(f, fcntl.F_DUPFD, 40)
    print(duplicate, fcntl.fcntl(duplicate, fcntl.F_GETFL) & os.O_ACCMODE)

print(subprocess.run([sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"],
                     capture_output=True, text=True, close_fds=True).stdout)
poll = select.poll()
poll.register(0, select.POLLIN)
print(poll.poll(0), os.path.exists("/dev/devfd"), os.access("/dev/null", os.W_OK))
for path in ["/dev/devfd", "/dev/devfd/edux", "edu", ""]:
    try:
        open(path)
    except OSError as e:
        print(e)

# SPDX-License-Identifier: MIT
"""Every function of libc that takes a path or an fd is replaced by the shim, or has a reason.

usage: symbols.py CC SHIM REASONS

A function counts when the headers declare it with an fd or with a string that is not known to be
something else, when they give a parameter no name, and when they do not declare it at all, as those
that only old and fortified programs call. A line of REASONS is "NAME...: REASON"; a name may have
wildcards. A name that excuses nothing is a mistake, too.
"""
import fnmatch
import re
import subprocess
import sys

HEADERS = """aio aliases argp argz arpa/inet crypt ctype dirent dlfcn envz err errno error execinfo
fcntl fmtmsg fnmatch fstab fts ftw gconv getopt glob grp gshadow iconv ifaddrs inttypes langinfo
libgen libintl link locale malloc math mcheck mntent monetary mqueue net/if netdb netinet/ether
netinet/in nl_types nss obstack poll printf pthread pty pwd regex resolv sched search semaphore
setjmp sgtty shadow signal spawn stdio stdio_ext stdlib string sys/acct sys/auxv sys/epoll
sys/eventfd sys/fanotify sys/file sys/fsuid sys/inotify sys/io sys/ioctl sys/ipc sys/klog sys/mman
sys/mount sys/msg sys/personality sys/pidfd sys/prctl sys/ptrace sys/quota sys/random sys/reboot
sys/resource sys/select sys/sem sys/sendfile sys/shm sys/signalfd sys/socket sys/stat sys/statfs
sys/statvfs sys/swap sys/syscall sys/sysinfo sys/time sys/timeb sys/timerfd sys/times sys/timex
sys/uio sys/utsname sys/vlimit sys/wait sys/xattr syslog termios threads time ttyent uchar
ucontext ulimit unistd utime utmp utmpx wait wchar wctype wordexp""".split()

# Strings that are no paths, by the names of parameters.
STRINGS = set("""s s1 s2 str string string1 string2 format fmt nptr delim accept reject haystack
needle src mode modes opt prompt property arg argz entry envz envz2 with buf pfx key value msgid
msgid1 msgid2 domainname codeset locale label tag action cp hostname host ifname user pass domain
netgroup service proto rhost locuser remuser line response version pw shortopts msg_ptr fromcode
tocode fstype fs_name ut_name ut_line ut_host dbname text asc ident""".split())


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def exported(library):
    """Names of functions, but for those that the parts of libc have for each other."""
    names = set()
    for line in run("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
        _, kind, name = line.split()
        if kind in "TWi" and not name.endswith("GLIBC_PRIVATE"):
            names.add(name.split("@")[0])
    return names


def declared(cc):
    """{function: its parameters, as text}"""
    text = run(*cc.split(), "-E", "-P", "-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-D_GNU_SOURCE",
               "-x", "c", "-", input="".join(f"#include <{h}.h>\n" for h in HEADERS))
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)", "", text)
    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{[^{}]*\}", ";", text)
    pattern = re.compile(r"\b(\w+)\s*\(((?:[^();]|\((?:[^()]|\([^()]*\))*\))*)\)\s*"
                         r'(?:__asm__\s*\(\s*""\s*"(\w+)"\s*\)\s*)?;')
    return {alias or name: params for name, params, alias in pattern.findall(text)}


def reaches(params):
    """Whether one of the parameters may be an fd or a path."""
    for param in re.split(r",(?![^()]*\))", params):
        name = re.search(r"\b__(\w+)\s*(\[\w*\])?\s*$", param.strip())
        if not name and re.fullmatch(r"\s*(int|(const\s+)?char\b.*)\s*", param):
            return True
        if name and re.search(r"fd|fildes", name[1]) and not re.search(r"fd_?set|pollfd", param):
            return True
        if name and re.match(r"\s*(const\s+)?char\b", param) and "const" in param and \
                name[1].strip("_") not in STRINGS:
            return True
    return False


def reasons(path):
    with open(path, encoding="ascii") as f:
        for line in f:
            names, colon, why = line.partition(":")
            if colon and not line.startswith("#"):
                assert why.strip(), f"{path}: no reason: {line}"
                yield from names.split()


def main():
    cc, shim, path = sys.argv[1:]
    libc = re.search(r"libc\.so\.6 => (\S+)", run("ldd", shim))[1]
    functions, known, replaced = exported(libc), declared(cc), exported(shim)
    excused = list(reasons(path))
    open_questions = {f for f in functions - replaced if f not in known or reaches(known[f])}
    assert len(functions) > 2000 and {"read", "fts_open"} <= set(known), "libc was not understood"

    failed = 0
    for name in sorted(open_questions):
        if not any(fnmatch.fnmatchcase(name, e) for e in excused):
            print(f"{name}({known.get(name, 'declared nowhere')}): neither replaced nor in {path}")
            failed = 1
    for e in excused:
        if not any(fnmatch.fnmatchcase(name, e) for name in functions - replaced):
            print(f"{e}: excuses nothing")
            failed = 1
    for name in sorted(replaced - functions):
        print(f"{name}: replaced, but libc has no such function")
        failed = 1
    print(f"{len(functions)} functions, {len(replaced)} replaced, "
          f"{len(open_questions)} with a reason not to be")
    return failed


sys.exit(main())

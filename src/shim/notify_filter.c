/* SPDX-License-Identifier: MIT */
/*
 * Which system calls are notified: see the theory of operation in notify.h.
 *
 * A filter sees the registers of a call and no memory. What it picks may still not be a device's,
 * and is sent on then; what it does not pick costs the program next to nothing, because the kernel
 * knows by the number alone that most calls are never picked.
 *
 * - An opening is picked when it is for writing and neither truncates nor must create. Who only
 *   reads gets what the mount namespace has there.
 * - read() and its like are picked by the number of the fd. Where they name an offset, one that
 *   only a region can have will do, and for ioctl() a request of VFIO's type: so these work on
 *   duplicates with low numbers as well, which the kernel makes without asking.
 * - dup() and its like are picked when they would give a device such a number.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/notify.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SYS_openat2 /* Linux 5.6 */
#define SYS_openat2 437
#endif

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0 /* not known: nothing is picked, which the probe sees */
#endif

/* Numbers from the base up: enough for devices, out of the way of nearly every program. */
#define USUAL_FDS 1024u
#define DEVICES	  128u

/* Regions start at 1 << 40 (src/ioctl/file.c), so this is the upper half of an offset in one. */
#define FIRST_REGION 0x100u

/* An fd, or the upper half of an offset, that is at least this. */
#define NEGATIVE 0x80000000u

/* VFIO's requests, today's and those of 2011, and iommufd's. */
#define REQUEST_TYPE ';'

/** enum rule - how it is decided whether a call is picked */
enum rule {
	ALWAYS,
	BY_FLAGS,   /* @arg: the flags of an opening */
	BY_FD,	    /* @arg: an fd */
	BY_OFFSET,  /* @arg: an offset; or the fd in the first argument */
	BY_MAP,	    /* mmap(): the offset, or the fd */
	BY_REQUEST, /* @arg: the request of an ioctl() */
	BY_COMMAND, /* @arg: the command of fcntl(); and the fd in the first argument */
};

static const struct {
	int nr;
	enum rule rule;
	uint32_t arg;
} calls[] = {
#ifdef SYS_open
	{ SYS_open, BY_FLAGS, 1 },
#endif
	{ SYS_openat, BY_FLAGS, 2 },   { SYS_openat2, ALWAYS, 0 },
	{ SYS_read, BY_FD, 0 },	       { SYS_write, BY_FD, 0 },
	{ SYS_readv, BY_FD, 0 },       { SYS_writev, BY_FD, 0 },
	{ SYS_pread64, BY_OFFSET, 3 }, { SYS_pwrite64, BY_OFFSET, 3 },
	{ SYS_preadv, BY_OFFSET, 3 },  { SYS_pwritev, BY_OFFSET, 3 },
	{ SYS_preadv2, BY_OFFSET, 3 }, { SYS_pwritev2, BY_OFFSET, 3 },
	{ SYS_lseek, BY_FD, 0 },       { SYS_mmap, BY_MAP, 4 },
	{ SYS_ioctl, BY_REQUEST, 1 },  { SYS_dup, BY_FD, 0 },
	{ SYS_fcntl, BY_COMMAND, 1 },
};

/** struct program - instructions of the filter */
struct program {
	struct sock_filter code[256];
	uint16_t len;
};

static void emit(struct program *p, uint32_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->code[p->len++] = (struct sock_filter){ (uint16_t)code, yes, no, k };
}

static void load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Both of our machines are little-endian. */
static void load_arg(struct program *p, uint32_t arg, bool upper)
{
	load(p, offsetof(struct seccomp_data, args) + (size_t)8 * arg + (upper ? 4 : 0));
}

static void end(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Of what is loaded: is it at least @k, or equal, or has it a bit of it? Else go on behind. */
static void pick_if(struct program *p, uint32_t test, uint32_t k)
{
	emit(p, BPF_JMP | BPF_K | test, k, 0, 1);
	end(p, SECCOMP_RET_USER_NOTIF);
}

static void allow_if(struct program *p, uint32_t test, uint32_t k)
{
	emit(p, BPF_JMP | BPF_K | test, k, 0, 1);
	end(p, SECCOMP_RET_ALLOW);
}

static void pick_by_fd(struct program *p, uint32_t arg)
{
	load_arg(p, arg, false);
	allow_if(p, BPF_JGE, NEGATIVE);
	pick_if(p, BPF_JGE, notify_base());
	end(p, SECCOMP_RET_ALLOW);
}

static void put_rule(struct program *p, enum rule rule, uint32_t arg)
{
	switch (rule) {
	case ALWAYS:
		end(p, SECCOMP_RET_USER_NOTIF);
		break;
	case BY_FLAGS:
		load_arg(p, arg, false);
		allow_if(p, BPF_JSET, O_TRUNC | O_EXCL);
		pick_if(p, BPF_JSET, O_ACCMODE);
		end(p, SECCOMP_RET_ALLOW);
		break;
	case BY_REQUEST:
		load_arg(p, arg, false);
		emit(p, BPF_ALU | BPF_K | BPF_AND, 0xff00, 0, 0);
		pick_if(p, BPF_JEQ, REQUEST_TYPE << 8);
		end(p, SECCOMP_RET_ALLOW);
		break;
	case BY_COMMAND:
		load_arg(p, arg, false);
		emit(p, BPF_JMP | BPF_K | BPF_JEQ, F_DUPFD, 2, 0);
		emit(p, BPF_JMP | BPF_K | BPF_JEQ, F_DUPFD_CLOEXEC, 1, 0);
		end(p, SECCOMP_RET_ALLOW);
		pick_by_fd(p, 0);
		break;
	case BY_OFFSET:
	case BY_MAP:
		load_arg(p, rule == BY_MAP ? 5 : arg, true);
		emit(p, BPF_JMP | BPF_K | BPF_JGE, NEGATIVE, 2, 0);
		pick_if(p, BPF_JGE, FIRST_REGION);
		pick_by_fd(p, rule == BY_MAP ? arg : 0);
		break;
	case BY_FD:
		pick_by_fd(p, arg);
		break;
	}
}

/* What is not of our machine has other numbers, and so have calls of x32: left alone. */
static void build(struct program *p)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_K | BPF_JEQ, ARCH, 1, 0);
	end(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const uint16_t jump = p->len;

		emit(p, BPF_JMP | BPF_K | BPF_JEQ, (uint32_t)calls[i].nr, 0, 0);
		put_rule(p, calls[i].rule, calls[i].arg);
		p->code[jump].jf = (uint8_t)(p->len - jump - 1);
	}
	end(p, SECCOMP_RET_ALLOW);
}

uint32_t notify_base(void)
{
	static uint32_t base;
	struct rlimit allowed = { .rlim_cur = USUAL_FDS };

	if (base)
		return base;
	getrlimit(RLIMIT_NOFILE, &allowed);
	if (allowed.rlim_cur > USUAL_FDS)
		allowed.rlim_cur = USUAL_FDS;
	base = (uint32_t)allowed.rlim_cur;
	base -= base / 2 < DEVICES ? base / 2 : DEVICES;
	return base;
}

static int install(const struct sock_fprog *prog, bool *keeps)
{
	const unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/* Else a signal has a call that was done already done a second time. */
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, prog);

	*keeps = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog);
	return fd < 0 ? -errno : (int)fd;
}

int notify_filter(bool *keeps)
{
	struct program p = { .len = 0 };
	struct sock_fprog prog = { .filter = p.code };
	int fd;

	build(&p);
	prog.len = p.len;
	fd = install(&prog, keeps);
	/* Who may not do it as he is, may when programs give him no more rights. */
	if (fd == -EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = install(&prog, keeps);
	return fd;
}

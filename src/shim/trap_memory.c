/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores of an emulated instruction: registers, other memory, or some of both.
 *
 * A bus moves naturally aligned pieces of at most 8 bytes. What a device does not answer reads as
 * all ones, and a write to it is lost, as on hardware; where a device refuses 8 bytes of a wider
 * access, it gets two times 4.
 */
#include <string.h>
#include <sys/mman.h>

#include "shim/trap.h"
#include "util/usermem.h"

#define WIDEST 8u

static int access_fault(struct trap_fault *fault, int signal, int code, uintptr_t addr)
{
	*fault = (struct trap_fault){ signal, code, addr };
	return -EFAULT;
}

/* The largest piece of the bus at @offset that fits into @len. */
static size_t piece_at(uint64_t offset, size_t len)
{
	size_t n = WIDEST;

	while (n > len || offset % n)
		n /= 2;
	return n;
}

static int one_access(const struct trap *t, uint64_t offset, void *buf, size_t n, bool writes)
{
	int ret = shim_access(t->mount, t->index, offset, buf, n, writes);

	if (ret && !writes)
		memset(buf, 0xff, n);
	return ret;
}

static void access_piece(const struct trap *t, uint64_t offset, void *buf, size_t n, bool writes,
			 bool wide)
{
	if (!one_access(t, offset, buf, n, writes) || n < WIDEST || !wide)
		return;
	one_access(t, offset, buf, n / 2, writes);
	one_access(t, offset + n / 2, (uint8_t *)buf + n / 2, n / 2, writes);
}

/* On x86 memory that can be written can be read. */
static bool allowed(const struct trap *t, bool writes)
{
	return t->prot & (writes ? PROT_WRITE : PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* One piece after the other, in what lies at each address. @in or @out is NULL. */
static int move(uintptr_t addr, uint8_t *in, const uint8_t *out, size_t len,
		struct trap_fault *fault)
{
	const bool wide = len > WIDEST;
	struct trap t;

	while (len) {
		uint8_t piece[WIDEST];
		size_t n = piece_at(addr, len);

		if (out)
			memcpy(piece, out, n);
		if (!trap_find(addr, &t)) {
			if (out ? dfd_copy_out((void *)addr, piece, n)
				: dfd_copy_in(piece, (const void *)addr, n))
				return access_fault(fault, SIGSEGV, SEGV_MAPERR, addr);
		} else if (!allowed(&t, out)) {
			return access_fault(fault, SIGSEGV, SEGV_ACCERR, addr);
		} else {
			access_piece(&t, t.offset + (addr - t.start), piece, n, out, wide);
		}
		if (in) {
			memcpy(in, piece, n);
			in += n;
		} else {
			out += n;
		}
		addr += n;
		len -= n;
	}
	return 0;
}

int trap_load(uintptr_t addr, void *buf, size_t len, struct trap_fault *fault)
{
	return move(addr, buf, NULL, len, fault);
}

int trap_store(uintptr_t addr, const void *buf, size_t len, struct trap_fault *fault)
{
	return move(addr, NULL, buf, len, fault);
}

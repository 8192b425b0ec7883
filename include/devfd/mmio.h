/* SPDX-License-Identifier: MIT */
/*
 * Little-endian registers in mapped regions.
 *
 * dfd_mmio_readN() is ordered before everything after it, dfd_mmio_writeN() after everything before
 * it, so that a descriptor written to memory is seen by the device before the doorbell. Addresses
 * must be aligned to the width.
 */
#ifndef DEVFD_MMIO_H
#define DEVFD_MMIO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** dfd_mmio_rmb() - later accesses do not pass earlier reads of the device */
static inline void dfd_mmio_rmb(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshld" ::: "memory");
#else
	__sync_synchronize();
#endif
}

/** dfd_mmio_wmb() - writes to memory are seen before later writes to the device */
static inline void dfd_mmio_wmb(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshst" ::: "memory");
#else
	__sync_synchronize();
#endif
}

/* Not <endian.h>, which strict C does not have. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DFD_MMIO_SWAP8(x)  (x)
#define DFD_MMIO_SWAP16(x) __builtin_bswap16(x)
#define DFD_MMIO_SWAP32(x) __builtin_bswap32(x)
#define DFD_MMIO_SWAP64(x) __builtin_bswap64(x)
#else
#define DFD_MMIO_SWAP8(x)  (x)
#define DFD_MMIO_SWAP16(x) (x)
#define DFD_MMIO_SWAP32(x) (x)
#define DFD_MMIO_SWAP64(x) (x)
#endif

#ifdef __cplusplus
#define DFD_MMIO_AT(type, addr) static_cast<type *>(addr)
#else
#define DFD_MMIO_AT(type, addr) ((type *)(addr))
#endif

#define DFD_MMIO_WIDTH(bits)                                                                       \
	static inline uint##bits##_t dfd_mmio_read##bits(const volatile void *addr)                \
	{                                                                                          \
		uint##bits##_t value = *DFD_MMIO_AT(const volatile uint##bits##_t, addr);          \
		dfd_mmio_rmb();                                                                    \
		return DFD_MMIO_SWAP##bits(value);                                                 \
	}                                                                                          \
	static inline void dfd_mmio_write##bits(volatile void *addr, uint##bits##_t value)         \
	{                                                                                          \
		dfd_mmio_wmb();                                                                    \
		*DFD_MMIO_AT(volatile uint##bits##_t, addr) = DFD_MMIO_SWAP##bits(value);          \
	}

DFD_MMIO_WIDTH(8)
DFD_MMIO_WIDTH(16)
DFD_MMIO_WIDTH(32)
DFD_MMIO_WIDTH(64)
#undef DFD_MMIO_WIDTH
#undef DFD_MMIO_AT
#undef DFD_MMIO_SWAP8
#undef DFD_MMIO_SWAP16
#undef DFD_MMIO_SWAP32
#undef DFD_MMIO_SWAP64

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * Design two of 2011: the ioctls of a device fd.
 *
 * Usable without the library, from C and C++, and beside <linux/vfio.h>: names are those of the
 * proposal of September 2011, numbers carry direction and size (so they never equal those of
 * today's VFIO, which carry neither). An unknown request is ENOTTY, a bad pointer EFAULT, a bad
 * index EINVAL.
 */
#ifndef DEVFD_IOCTL_H
#define DEVFD_IOCTL_H

#include <stdint.h>
#include <sys/ioctl.h>

/* VFIO_DEVICE_GET_FLAGS: u64 out. */
#define VFIO_DEVICE_FLAG_PCI   (1ULL << 0)
#define VFIO_DEVICE_FLAG_DT    (1ULL << 1)
#define VFIO_DEVICE_FLAG_RESET (1ULL << 2)
#define VFIO_DEVICE_GET_FLAGS  _IOR(';', 0xc0, uint64_t)

/* VFIO_DEVICE_GET_NUM_REGIONS: int out; PCI: always 8 (BAR 0-5, ROM, configuration space). */
#define VFIO_DEVICE_GET_NUM_REGIONS _IOR(';', 0xc1, int)

/* VFIO_DEVICE_GET_REGION_*: u64, in the index, out the answer; an absent region answers 0. */
#define VFIO_DEVICE_GET_REGION_LEN    _IOWR(';', 0xc2, uint64_t)
#define VFIO_DEVICE_GET_REGION_FLAGS  _IOWR(';', 0xc3, uint64_t)
#define VFIO_DEVICE_GET_REGION_OFFSET _IOWR(';', 0xc4, uint64_t)
/* Where the physical address is not known, and for PCI: EINVAL. */
#define VFIO_DEVICE_GET_REGION_PHYS_ADDR _IOWR(';', 0xc5, uint64_t)
#define VFIO_DEVICE_REGION_MAPPABLE	 (1ULL << 0)
#define VFIO_DEVICE_REGION_READ_ONLY	 (1ULL << 1)
#define VFIO_DEVICE_REGION_IOPORT	 (1ULL << 2)

/* VFIO_DEVICE_GET_NUM_IRQS: int out; without MSI and MSI-X. */
#define VFIO_DEVICE_GET_NUM_IRQS _IOR(';', 0xc6, int)

/* VFIO_DEVICE_SET_IRQ_EVENTFD: int[2], index and eventfd; -1 removes. */
#define VFIO_DEVICE_SET_IRQ_EVENTFD _IOW(';', 0xc7, int[2])
/* VFIO_DEVICE_UNMASK_IRQ: int, the index. */
#define VFIO_DEVICE_UNMASK_IRQ _IOW(';', 0xc8, int)
/* VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD: int[2], index and an eventfd that unmasks; -1 removes. */
#define VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD _IOW(';', 0xc9, int[2])

/*
 * VFIO_DEVICE_GET_DTPATH: buf_len 0 stores the size with the NUL; a buffer too small: ENOSPC and
 * the size; success: buf_len is the bytes written. No device-tree node: ENOENT.
 */
#define VFIO_DEVICE_DT_REGION 0u
#define VFIO_DEVICE_DT_IRQ    1u
struct vfio_device_dtpath {
	uint32_t type; /* VFIO_DEVICE_DT_* */
	uint32_t index;
	uint32_t buf_len;
	uint32_t reserved; /* 0 */
	uint64_t buf;	   /* address of the buffer */
};
#define VFIO_DEVICE_GET_DTPATH _IOWR(';', 0xca, struct vfio_device_dtpath)

/* VFIO_DEVICE_GET_DTINDEX: which property, and which of its entries. ENOENT without a node. */
#define VFIO_DEVICE_DT_PROP_REG		  1u
#define VFIO_DEVICE_DT_PROP_RANGES	  2u
#define VFIO_DEVICE_DT_PROP_INTERRUPTS	  3u
#define VFIO_DEVICE_DT_PROP_INTERRUPT_MAP 4u
struct vfio_device_dtindex {
	uint32_t type; /* VFIO_DEVICE_DT_* */
	uint32_t index;
	uint32_t prop_type;
	uint32_t prop_index;
};
#define VFIO_DEVICE_GET_DTINDEX _IOWR(';', 0xcb, struct vfio_device_dtindex)

/* VFIO_DEVICE_RESET: do it; EINVAL where it is not possible. Today's VFIO has the same number. */
#ifndef VFIO_DEVICE_RESET
#define VFIO_DEVICE_RESET _IO(';', 111)
#endif

/* VFIO_DEVICE_PCI_RESET: int, 1 only asks, 0 does it; EINVAL where it is not possible. */
#define VFIO_DEVICE_PCI_RESET _IOW(';', 0xcc, int)

/*
 * VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, ..._MSIX_EVENTFDS: int[1 + n]: n, then n eventfds; -1 is a
 * hole, n = 0 tears down. All or nothing.
 */
#define VFIO_DEVICE_PCI_SET_MSI_EVENTFDS  _IOW(';', 0xcd, int)
#define VFIO_DEVICE_PCI_SET_MSIX_EVENTFDS _IOW(';', 0xce, int)

/*
 * VFIO_DEVICE_CHECK_EXTENSION: u32 id in; returns 0 for unknown or absent, otherwise 1 or the
 * number. Ids from 0x100 up are the facts of <devfd/facts.h>: 0x100 MSI vectors, 0x101 MSI-X
 * vectors, ...
 */
#define VFIO_DEVICE_CHECK_EXTENSION _IOW(';', 0xcf, uint32_t)

#define VFIO_DEVICE_EXT_TABLE	       1u  /* the table at offset 0; its version */
#define VFIO_DEVICE_EXT_RESET	       2u  /* VFIO_DEVICE_RESET works */
#define VFIO_DEVICE_EXT_PCI_RESET      3u  /* VFIO_DEVICE_PCI_RESET works */
#define VFIO_DEVICE_EXT_PHYS_ADDR      4u  /* GET_REGION_PHYS_ADDR answers for some region */
#define VFIO_DEVICE_EXT_DT	       5u  /* GET_DTPATH and GET_DTINDEX answer */
#define VFIO_DEVICE_EXT_IRQ_EVENTFD    6u  /* SET_IRQ_EVENTFD works; wired interrupts */
#define VFIO_DEVICE_EXT_UNMASK	       7u  /* UNMASK_IRQ works */
#define VFIO_DEVICE_EXT_UNMASK_EVENTFD 8u  /* SET_UNMASK_IRQ_EVENTFD works */
#define VFIO_DEVICE_EXT_VFIO	       9u  /* today's VFIO_DEVICE_GET_INFO and its family answer */
#define VFIO_DEVICE_EXT_DMA	       10u /* the device can be given memory (library only) */
#define VFIO_DEVICE_EXT_MSI_VECTORS    0x100u
#define VFIO_DEVICE_EXT_MSIX_VECTORS   0x101u

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user protocol: numbers and structs, as they lie on the wire.
 *
 * Structs are copied to and from messages, never cast. The payloads that the protocol shares with
 * the ioctls of VFIO (device, region and interrupt information, SET_IRQS) are those of abi/vfio.h.
 */
#ifndef USER_PROTO_H
#define USER_PROTO_H

#include <stdint.h>

enum user_command {
	USER_VERSION = 1,
	USER_DMA_MAP = 2,
	USER_DMA_UNMAP = 3,
	USER_GET_INFO = 4,
	USER_REGION_INFO = 5,
	USER_REGION_IO_FDS = 6,
	USER_IRQ_INFO = 7,
	USER_SET_IRQS = 8,
	USER_REGION_READ = 9,
	USER_REGION_WRITE = 10,
	USER_DMA_READ = 11, /* this and the next: from the server to the client */
	USER_DMA_WRITE = 12,
	USER_RESET = 13,
	USER_WRITE_MULTI = 15,
	USER_FEATURE = 16,
	USER_NUM_COMMANDS
};

/** struct user_header - every message starts with it; @size counts it */
struct user_header {
	uint16_t id;
	uint16_t command;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

#define USER_TYPE_MASK	UINT32_C(0xf)
#define USER_TYPE_CALL	UINT32_C(0)
#define USER_TYPE_REPLY UINT32_C(1)
#define USER_NO_REPLY	UINT32_C(0x10)
#define USER_ERROR	UINT32_C(0x20)

struct user_version {
	uint16_t major;
	uint16_t minor;
};

struct user_dma_map {
	uint32_t argsz;
	uint32_t flags; /* DFD_DMA_* */
	uint64_t offset;
	uint64_t address;
	uint64_t size;
};

struct user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
#define USER_UNMAP_ALL UINT32_C(2)

struct user_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

/**
 * struct user_io_fd - follows user_io_fds, @count times: what an fd stands for
 * @type: 0, an eventfd; @flags: of KVM's ioeventfds
 */
struct user_io_fd {
	uint64_t offset;
	uint64_t size;
	uint32_t fd_index;
	uint32_t type;
	uint32_t flags;
	uint32_t padding;
	uint64_t value;
};
#define USER_IO_FD_DATAMATCH UINT32_C(1)

/** struct user_access - of REGION_READ and REGION_WRITE; data follow */
struct user_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/** struct user_dma - of DMA_READ and DMA_WRITE; data follow */
struct user_dma {
	uint64_t address;
	uint64_t count;
};

struct user_write {
	uint64_t offset;
	uint32_t region;
	uint32_t count; /* 1 to 8 */
	uint8_t data[8];
};

/* What we take and announce. */
#define USER_MAX_FDS	  16u /* more makes QEMU give up */
#define USER_MAX_DATA	  (UINT32_C(1) << 20)
#define USER_MAX_DMA_MAPS 65535u
#define USER_PAGE_SIZES	  4096u
/* The largest message that has a use: data, header and fixed part. */
#define USER_MAX_MESSAGE (USER_MAX_DATA + 64)
/* Before the version is agreed on, and the largest VERSION. */
#define USER_MAX_FIRST_MESSAGE (UINT32_C(64) << 10)

#endif

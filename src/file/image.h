/* SPDX-License-Identifier: MIT */
/* The configuration space of a device that is only described. */
#ifndef FILE_IMAGE_H
#define FILE_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define IMAGE_MAX 4096u

/** struct image - @len: bytes that are known, at most IMAGE_MAX */
struct image {
	size_t len;
	uint8_t bytes[];
};

/** image_read() - serve a read of a region: of configuration space what is known, else -EOPNOTSUPP
 */
ssize_t image_read(const struct image *image, uint32_t index, uint64_t offset, void *buf,
		   size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/* What clients are told of a device. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <devfd/provider.h>

#include "desc/copy.h"
#include "user/session.h"

/*
 * A file that a stranger may have: plain memory that he cannot cut short under us, and the right to
 * write it only where he may.
 */
static bool shareable(struct dfd_device *dev, const struct dfd_region *r)
{
	uint64_t offset;
	struct stat st;
	int fd, mode, seals;

	if (dfd_region_backing(dev, r->index, &fd, &offset) || fstat(fd, &st) ||
	    !S_ISREG(st.st_mode))
		return false;
	mode = fcntl(fd, F_GETFL);
	seals = fcntl(fd, F_GET_SEALS);
	if (mode < 0 || seals < 0 || !(seals & F_SEAL_SHRINK))
		return false;
	return !(r->flags & DFD_REGION_READ_ONLY) || (mode & O_ACCMODE) == O_RDONLY;
}

static void copy_regions(struct dfd_desc_builder *b, struct dfd_device *dev)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count; i++) {
		struct dfd_region r = regions[i];

		if ((r.flags & DFD_REGION_MAPPABLE) && !shareable(dev, &r)) {
			r.flags &= ~DFD_REGION_MAPPABLE;
			r.areas = NULL;
			r.num_areas = 0;
		}
		dfd_desc_add_region(b, &r);
	}
}

int target_init(struct target *t, struct dfd_device *dev, struct dfd_error *err)
{
	static const struct dfd_device_ops nothing = { .size = sizeof(nothing), .name = "told" };
	struct dfd_desc_builder *b = dfd_desc_builder_new(dfd_desc_bus(dfd_device_desc(dev)));
	const struct dfd_desc *desc;
	int ret;

	copy_regions(b, dev);
	dfd_desc_copy_rest(b, dfd_device_desc(dev));
	ret = dfd_desc_build(b, &desc, err);
	if (ret)
		return ret;
	ret = dfd_device_new(desc, &nothing, NULL, false, &t->told);
	dfd_desc_unref(desc);
	if (ret)
		return dfd_error_set(err, ret, "out of memory");
	t->dev = dev;
	return 0;
}

void target_finish(struct target *t)
{
	dfd_device_close(t->told);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/file.h>
#include <devfd/open.h>

#include "fake_kernel.h"
#include "pci/caps.h"

struct fake_kernel fake;

static int container_fd, group_fd, device_fd;
static bool container_set, iommu_set;

/* ---- failing on demand ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* Is the call to end here, with *ret? */
static bool ends_here(unsigned long request, const char *path, int *ret)
{
	*ret = -EIO;
	if (++fake.calls == fake.fail_at)
		return true;
	for (int i = 0; i < FAKE_MAX_FAILURES; i++) {
		struct fake_failure *f = &fake.failures[i];

		if (!f->times || (path ? !f->path || !ends_with(path, f->path)
				       : f->path || f->request != request))
			continue;
		if (f->times > 0)
			f->times--;
		*ret = f->ret;
		return true;
	}
	return false;
}

/* ---- files ---- */

static int fake_open(const char *path, int flags)
{
	int ret, fd;

	(void)flags;
	if (ends_here(0, path, &ret))
		return ret;
	fd = memfd_create(path, MFD_CLOEXEC);
	if (ends_with(path, "/dev/vfio/vfio"))
		container_fd = fd;
	else
		group_fd = fd;
	fake.open++;
	return fd;
}

static void fake_close(int fd)
{
	if (fd == container_fd) {
		dfd_dma_unmap(fake.model, 0, UINT64_MAX, NULL);
		container_set = iommu_set = false;
		fake.maps = 0;
	}
	fake.open--;
	close(fd);
}

static ssize_t access_device(int fd, void *in, const void *out, size_t len, uint64_t offset)
{
	uint32_t index = (uint32_t)(offset >> 40);
	int ret;

	if (ends_here(0, "access", &ret))
		return ret;
	if (fd != device_fd)
		return -EBADF;
	offset %= UINT64_C(1) << 40;
	return in ? dfd_region_read(fake.model, index, offset, in, len)
		  : dfd_region_write(fake.model, index, offset, out, len);
}

/* Let configuration space, read from its start, say something else. */
static void change_config(uint8_t *config, size_t len)
{
	int at = dfd_pci_find_cap(config, len, DFD_PCI_CAP_MSIX);

	if (fake.dead)
		memset(config, 0xff, len);
	else if (fake.msix_table && at > 0)
		memcpy(config + at + 4, &fake.msix_table, 4);
}

static ssize_t fake_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n = access_device(fd, buf, NULL, len, offset);

	if (n > 0 && offset == UINT64_C(7) << 40)
		change_config(buf, (size_t)n);
	return n;
}

static ssize_t fake_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	return access_device(fd, NULL, buf, len, offset);
}

/* ---- the container ---- */

static int container_info(struct vfio_iommu_type1_info *info)
{
	struct fake_chain chain = { { 3, 1, 40 }, 65535, { 1, 1, 0 }, 2, 0, { FAKE_RANGES } };

	info->flags = VFIO_IOMMU_INFO_PGSIZES;
	info->iova_pgsizes = fake.page_sizes;
	if (fake.no_ranges)
		return 0;
	info->flags |= VFIO_IOMMU_INFO_CAPS;
	info->cap_offset = 0;
	if (info->argsz < sizeof(*info) + sizeof(chain)) {
		info->argsz = sizeof(*info) + sizeof(chain);
		return 0;
	}
	info->cap_offset = sizeof(*info);
	if (fake.spoil)
		fake.spoil(&chain);
	memcpy(info + 1, &chain, sizeof(chain));
	return 0;
}

static int container_map(const struct vfio_iommu_type1_dma_map *arg)
{
	struct dfd_dma_map map = {
		.iova = arg->iova,
		.size = arg->size,
		.prot = arg->flags,
		.kind = DFD_DMA_ADDRESS,
		.addr = (void *)(uintptr_t)arg->vaddr,
	};
	int ret;

	if (!iommu_set || arg->argsz != sizeof(*arg))
		return -EINVAL;
	if (fake.maps == fake.entries)
		return -ENOSPC;
	ret = dfd_dma_map(fake.model, &map);
	fake.maps += !ret;
	return ret;
}

static int container_unmap(struct vfio_iommu_type1_dma_unmap *arg)
{
	int ret = dfd_dma_unmap(fake.model, arg->iova, arg->size, &arg->size);

	fake.maps -= !ret;
	return ret;
}

static int container_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return (uintptr_t)arg == VFIO_TYPE1v2_IOMMU;
	case VFIO_SET_IOMMU:
		if (!container_set || (uintptr_t)arg != VFIO_TYPE1v2_IOMMU)
			return -EINVAL;
		iommu_set = true;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		return iommu_set ? container_info(arg) : -EINVAL;
	case VFIO_IOMMU_MAP_DMA:
		return container_map(arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return container_unmap(arg);
	default:
		return -ENOTTY;
	}
}

/* ---- the group ---- */

static int group_ioctl(unsigned long request, void *arg)
{
	struct vfio_group_status *status = arg;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		status->flags = fake.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		if (*(int *)arg != container_fd)
			return -EBADF;
		container_set = true;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		if (!iommu_set)
			return -EINVAL;
		if (strcmp(arg, "0000:01:00.0") != 0 && strcmp(arg, FAKE_UUID) != 0)
			return -ENODEV;
		device_fd = memfd_create("device", MFD_CLOEXEC);
		fake.open++;
		return ftruncate(device_fd, INT64_MAX) ? -errno : device_fd;
	default:
		return -ENOTTY;
	}
}

/* ---- the device ---- */

static void msix_chain(struct vfio_region_info *info)
{
	static const struct vfio_info_cap_header cap = { VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 1, 0 };

	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info->cap_offset = 0;
	if (info->argsz < sizeof(*info) + sizeof(cap)) {
		info->argsz = sizeof(*info) + sizeof(cap);
		return;
	}
	info->cap_offset = sizeof(*info);
	memcpy(info + 1, &cap, sizeof(cap));
}

static int region_info(struct vfio_region_info *info)
{
	int ret = dfd_ioctl(fake.model, VFIO_DEVICE_GET_REGION_INFO, info);

	if (ret)
		return ret;
	info->offset = (uint64_t)info->index << 40;
	if (fake.mmap >> info->index & 1)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	if (fake.msix_mappable && info->index == 2)
		msix_chain(info);
	return 0;
}

static int device_ioctl(unsigned long request, void *arg)
{
	struct vfio_device_feature *feature = arg;
	struct vfio_irq_set *set = arg;

	switch (request) {
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		fake.irq_argsz = set->argsz;
		fake.irq_flags = set->flags;
		break;
	case VFIO_DEVICE_FEATURE:
		fake.feature_flags = feature->flags;
		if (feature->flags & VFIO_DEVICE_FEATURE_GET)
			memset(feature->data, 0x5a, feature->argsz - sizeof(*feature));
		return 0;
	}
	return dfd_ioctl(fake.model, request, arg);
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	if (ends_here(request, NULL, &ret))
		return ret;
	if (fd == container_fd)
		return container_ioctl(request, arg);
	if (fd == group_fd)
		return group_ioctl(request, arg);
	return fd == device_fd ? device_ioctl(request, arg) : -EBADF;
}

const struct kernel_calls fake_calls = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
};

/* ---- life ---- */

void fake_start(const char *model)
{
	fake = (struct fake_kernel){ .entries = 65535, .page_sizes = 0x40201000 };
	container_fd = group_fd = device_fd = -1;
	if (dfd_open(model, &fake.model, NULL))
		abort();
}

void fake_stop(void)
{
	dfd_device_close(fake.model);
}

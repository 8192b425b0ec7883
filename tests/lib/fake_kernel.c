/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <devfd/display.h>
#include <devfd/file.h>
#include <devfd/open.h>

#include "abi/iommufd.h"
#include "fake_kernel.h"
#include "pci/caps.h"

struct fake_kernel fake;

enum kind { NOTHING, CONTAINER, GROUP, IOMMUFD, DEVICE };

#define MAX_FILES 16
#define IOAS_ID	  2u
#define HWPT_ID	  3u
#define BOUND_ID  5u

/**
 * struct file - an open file
 * @inode: of the memfd that stands for it, so that duplicates are known
 * @bound, @attached: of a device's own file
 * @fds: how many fds stand for it
 */
struct file {
	enum kind kind;
	ino_t inode;
	bool own, bound, attached;
	int fds;
};

static struct file files[MAX_FILES];
static uintptr_t iommu_set;
static uint32_t vectors[VFIO_PCI_NUM_IRQS];
static bool container_set, ioas_made, hwpt_made;

static struct file *file_of(int fd)
{
	struct stat st;

	for (int i = 0; i < MAX_FILES && !fstat(fd, &st); i++) {
		if (files[i].kind && files[i].inode == st.st_ino)
			return &files[i];
	}
	return NULL;
}

static enum kind kind_of(int fd)
{
	const struct file *f = file_of(fd);

	return f ? f->kind : NOTHING;
}

static int new_file(enum kind kind, const char *name, bool own)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || ftruncate(fd, INT64_MAX) || fstat(fd, &st))
		abort();
	for (int i = 0; i < MAX_FILES; i++) {
		if (!files[i].kind) {
			files[i] = (struct file){
				.kind = kind, .inode = st.st_ino, .own = own, .fds = 1
			};
			fake.open++;
			return fd;
		}
	}
	abort();
}

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
	int ret;

	(void)flags;
	if (ends_here(0, path, &ret))
		return ret;
	if (ends_with(path, "/dev/vfio/vfio"))
		return new_file(CONTAINER, path, false);
	if (ends_with(path, "/dev/iommu"))
		return new_file(IOMMUFD, path, false);
	return strstr(path, "/dev/vfio/devices/") ? new_file(DEVICE, path, true)
						  : new_file(GROUP, path, false);
}

static void forget_maps(void)
{
	dfd_dma_unmap(fake.model, 0, UINT64_MAX, NULL);
	fake.maps = 0;
}

static int fake_dup(int fd)
{
	struct file *f = file_of(fd);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	if (f)
		f->fds++;
	fake.open++;
	return copy;
}

static void fake_close(int fd)
{
	struct file *f = file_of(fd);

	fake.open--;
	close(fd);
	if (!f || --f->fds)
		return;
	if (f->kind == CONTAINER || f->kind == IOMMUFD) {
		forget_maps();
		container_set = ioas_made = hwpt_made = false;
		iommu_set = 0;
	}
	f->kind = NOTHING;
}

static ssize_t access_device(int fd, void *in, const void *out, size_t len, uint64_t offset)
{
	uint32_t index = (uint32_t)(offset >> 40);
	int ret;

	if (ends_here(0, "access", &ret))
		return ret;
	if (kind_of(fd) != DEVICE)
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

	if (fake.compat)
		chain.number = UINT32_MAX;
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
	if (fake.compat && !ret && !arg->size)
		return -ENOENT;
	if (fake.short_unmap)
		arg->size -= 4096;
	return ret;
}

/* Every page was written. */
static int container_dirty(const struct vfio_iommu_type1_dirty_bitmap *arg)
{
	struct vfio_iommu_type1_dirty_bitmap_get get;

	if (fake.compat)
		return -ENOTTY;
	fake.dirty_flags = arg->flags;
	if (arg->flags != VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP)
		return 0;
	fake.dirty_gets++;
	if (arg->argsz < sizeof(*arg) + sizeof(get))
		return -EINVAL;
	memcpy(&get, arg->data, sizeof(get));
	if (get.bitmap.pgsize != 4096 || get.bitmap.size < (get.size / 4096 + 7) / 8)
		return -EINVAL;
	for (uint64_t n = 0; n < get.size / 4096; n++)
		((uint8_t *)(uintptr_t)get.bitmap.data)[n / 8] |= (uint8_t)(1 << n % 8);
	return 0;
}

static int iommufd_option(struct iommu_option *arg)
{
	if (arg->size != sizeof(*arg) || arg->option_id != IOMMU_OPTION_RLIMIT_MODE ||
	    arg->op != IOMMU_OPTION_OP_GET || arg->object_id)
		return -EOPNOTSUPP;
	arg->val64 = fake.locks_by_process;
	return 0;
}

static int container_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return fake.iommu_types >> (uintptr_t)arg & 1;
	case VFIO_SET_IOMMU:
		if (!container_set || !(fake.iommu_types >> (uintptr_t)arg & 1))
			return -EINVAL;
		iommu_set = (uintptr_t)arg;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		return iommu_set ? container_info(arg) : -EINVAL;
	case VFIO_IOMMU_MAP_DMA:
		return container_map(arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return container_unmap(arg);
	case VFIO_IOMMU_DIRTY_PAGES:
		return container_dirty(arg);
	case IOMMU_OPTION:
		return fake.compat ? iommufd_option(arg) : -ENOTTY;
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
		if (kind_of(*(int *)arg) != CONTAINER)
			return -EBADF;
		container_set = true;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		if (!iommu_set)
			return -EINVAL;
		snprintf(fake.name, sizeof(fake.name), "%s", (const char *)arg);
		if (strncmp(arg, "0000:01:00.", 11) != 0 && strcmp(arg, FAKE_UUID) != 0 &&
		    strcmp(arg, FAKE_PLATFORM) != 0)
			return -ENODEV;
		return new_file(DEVICE, "device", false);
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

static int device_info(struct vfio_device_info *info)
{
	int ret = dfd_ioctl(fake.model, VFIO_DEVICE_GET_INFO, info);

	if (!ret && fake.resettable)
		info->flags |= VFIO_DEVICE_FLAGS_RESET;
	return ret;
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

/* A file of its own, which answers nothing until it is bound. */
static int own_ioctl(struct file *f, unsigned long request, void *arg)
{
	struct vfio_device_bind_iommufd *bind = arg;
	const struct vfio_device_attach_iommufd_pt *pt = arg;

	switch (request) {
	case VFIO_DEVICE_BIND_IOMMUFD:
		if (f->bound || bind->argsz < 16 || bind->iommufd < 0)
			return -EINVAL;
		if (kind_of(bind->iommufd) != IOMMUFD)
			return -EBADFD;
		if (bind->flags & VFIO_DEVICE_BIND_FLAG_TOKEN)
			memcpy(fake.token, (void *)(uintptr_t)bind->token_uuid_ptr, 16);
		f->bound = true;
		bind->out_devid = BOUND_ID;
		return 0;
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		if (!f->bound || pt->argsz < 12 || pt->flags)
			return -EINVAL;
		f->attached = true;
		return pt->pt_id == (hwpt_made ? HWPT_ID : IOAS_ID) && ioas_made ? 0 : -ENOENT;
	default:
		return -EINVAL;
	}
}

/* As the kernel checks them; what they do is for tests to look at. */
static int device_feature(struct vfio_device_feature *arg)
{
	uint32_t number = arg->flags & VFIO_DEVICE_FEATURE_MASK;
	bool get = fake.feature_gets >> (number % 64) & 1;
	bool set = fake.feature_sets >> (number % 64) & 1;
	size_t len = arg->argsz - sizeof(*arg);

	if (number >= 64 || (!get && !set))
		return -ENOTTY;
	if (((arg->flags & VFIO_DEVICE_FEATURE_GET) && !get) ||
	    ((arg->flags & VFIO_DEVICE_FEATURE_SET) && !set))
		return -EINVAL;
	fake.feature_flags = arg->flags;
	if (arg->flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	memcpy(fake.feature_body, arg->data,
	       len < sizeof(fake.feature_body) ? len : sizeof(fake.feature_body));
	if (arg->flags & VFIO_DEVICE_FEATURE_GET)
		memset(arg->data, 0x5a, len);
	return fake.feature_ret;
}

/* As samples/vfio-mdev/mbochs.c: a plane that is off is a success with nothing in it. */
static int query_plane(struct vfio_device_gfx_plane_info *arg)
{
	bool probe = arg->flags & VFIO_GFX_PLANE_TYPE_PROBE;

	if (!fake.planes)
		return -ENOTTY;
	if (arg->argsz < sizeof(*arg) || (arg->flags & ~VFIO_GFX_PLANE_TYPE_PROBE) != fake.planes)
		return -EINVAL;
	if (probe)
		return 0;
	*arg = (struct vfio_device_gfx_plane_info){ .drm_plane_type = arg->drm_plane_type };
	if (arg->drm_plane_type != DFD_PLANE_PRIMARY)
		return 0;
	arg->drm_format = 0x34325258;
	arg->drm_format_mod = UINT64_C(1) << 56;
	arg->width = 640;
	arg->height = 480;
	arg->stride = 2560;
	arg->size = 2560 * 480;
	arg->x_pos = 1;
	arg->y_pos = 2;
	arg->x_hot = 3;
	arg->y_hot = 4;
	arg->where = 7;
	return 0;
}

static int get_dmabuf(const uint32_t *where)
{
	if (!fake.planes)
		return -ENOTTY;
	return *where == 7 ? eventfd(0, EFD_CLOEXEC) : -EINVAL;
}

static int hot_reset_list(const struct file *f, struct vfio_pci_hot_reset_info *arg)
{
	uint32_t room = (arg->argsz - (uint32_t)sizeof(*arg)) / (uint32_t)sizeof(*arg->devices);

	arg->flags = f->own ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID | fake.reset_flags : 0;
	arg->count = fake.reset_count;
	if (!fake.reset_count)
		return -ENODEV;
	if (fake.reset_count > room)
		return -ENOSPC;
	memcpy(arg->devices, fake.reset_devices, fake.reset_count * sizeof(*arg->devices));
	return 0;
}

static int hot_reset(const struct file *f, const struct vfio_pci_hot_reset *arg)
{
	fake.reset_groups = arg->count;
	if (arg->flags || f->own == !!arg->count ||
	    arg->argsz != sizeof(*arg) + arg->count * sizeof(*arg->group_fds))
		return -EINVAL;
	for (uint32_t i = 0; i < arg->count; i++) {
		if (kind_of(arg->group_fds[i]) != GROUP)
			return -EBADF;
	}
	fake.hot_resets++;
	return 0;
}

/* Return: does the mask of an interrupt of the platform keep this back? */
static bool masked(const struct vfio_irq_set *set)
{
	uint32_t bit = UINT32_C(1) << set->index, action = set->flags & ~VFIO_IRQ_SET_DATA_NONE;

	if (!fake.automasks || !(set->flags & VFIO_IRQ_SET_DATA_NONE) || !set->count)
		return false;
	if (action == VFIO_IRQ_SET_ACTION_UNMASK) {
		fake.masked &= ~bit;
		return true;
	}
	if (fake.masked & bit)
		return true;
	fake.masked |= bit;
	return false;
}

/* Vectors that are on are only looked at where their number stays as it is. */
static int set_irqs(struct vfio_irq_set *set)
{
	static const uint32_t route = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	int ret;

	fake.irq_argsz = set->argsz;
	fake.irq_flags = set->flags;
	if (masked(set))
		return 0;
	if (set->flags == route && (fake.noresize >> set->index & 1) && vectors[set->index] &&
	    set->start + set->count > vectors[set->index])
		return -EINVAL;
	ret = dfd_ioctl(fake.model, VFIO_DEVICE_SET_IRQS, set);
	if (!ret && set->flags == route && set->start + set->count > vectors[set->index])
		vectors[set->index] = set->start + set->count;
	else if (!ret && set->flags != route && !set->count)
		vectors[set->index] = 0;
	return ret;
}

static int irq_info(struct vfio_irq_info *info)
{
	int ret = dfd_ioctl(fake.model, VFIO_DEVICE_GET_IRQ_INFO, info);

	if (!ret && (fake.noresize >> info->index & 1))
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	return ret;
}

static int device_ioctl(struct file *f, unsigned long request, void *arg)
{
	struct vfio_device_feature *feature = arg;

	if (f->own && (!f->bound || request == VFIO_DEVICE_BIND_IOMMUFD ||
		       request == VFIO_DEVICE_ATTACH_IOMMUFD_PT))
		return own_ioctl(f, request, arg);
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return device_info(arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return irq_info(arg);
	case VFIO_DEVICE_FEATURE:
		return device_feature(feature);
	case VFIO_DEVICE_QUERY_GFX_PLANE:
		return query_plane(arg);
	case VFIO_DEVICE_GET_GFX_DMABUF:
		return get_dmabuf(arg);
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return hot_reset_list(f, arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return hot_reset(f, arg);
	}
	return dfd_ioctl(fake.model, request, arg);
}

/* ---- the iommufd ---- */

static int ioas_ranges(struct iommu_ioas_iova_ranges *arg)
{
	static const struct iommu_iova_range list[] = { FAKE_RANGES };
	struct iommu_iova_range *to = (void *)(uintptr_t)arg->allowed_iovas;
	uint32_t count = fake.num_ranges ? fake.num_ranges : 2;
	bool fits = arg->num_iovas >= count;

	for (uint32_t i = 0; i < count && i < arg->num_iovas; i++)
		to[i] = i < 2 ? list[i]
			      : (struct iommu_iova_range){ (i + UINT64_C(1)) << 48,
							   (i + UINT64_C(2)) << 48 };
	if (fake.phys) { /* without an IOMMU every address goes */
		to[0] = (struct iommu_iova_range){ 0, UINT64_MAX };
		count = 1;
	}
	arg->num_iovas = count;
	arg->out_iova_alignment = fake.page_sizes & -fake.page_sizes;
	return fits ? 0 : -EMSGSIZE;
}

static int ioas_map_memory(uint64_t iova, uint64_t size, uint32_t flags, struct dfd_dma_map map)
{
	int ret;

	map.iova = iova;
	map.size = size;
	if (flags & IOMMU_IOAS_MAP_READABLE)
		map.prot |= DFD_DMA_READ;
	if (flags & IOMMU_IOAS_MAP_WRITEABLE)
		map.prot |= DFD_DMA_WRITE;
	if (!(flags & IOMMU_IOAS_MAP_FIXED_IOVA))
		return -EOPNOTSUPP;
	/* Kernel 7.3 cannot have memory in pieces there. */
	if (fake.phys && size > fake.contiguous && iova > UINT64_MAX - size)
		return -EINVAL;
	ret = dfd_dma_map(fake.model, &map);
	fake.maps += !ret;
	return ret;
}

static int ioas_map_va(const struct iommu_ioas_map *arg)
{
	return ioas_map_memory(arg->iova, arg->length, arg->flags,
			       (struct dfd_dma_map){ .kind = DFD_DMA_ADDRESS,
						     .addr = (void *)(uintptr_t)arg->user_va });
}

static int ioas_map_fd(const struct iommu_ioas_map_file *arg)
{
	if (!fake.map_file)
		return -ENOTTY;
	fake.mapped_files++;
	return ioas_map_memory(
		arg->iova, arg->length, arg->flags,
		(struct dfd_dma_map){ .kind = DFD_DMA_FD, .fd = arg->fd, .fd_offset = arg->start });
}

/* Cutting a map in two and unmapping nothing are the same to it. */
static int ioas_unmap(struct iommu_ioas_unmap *arg)
{
	int ret = dfd_dma_unmap(fake.model, arg->iova, arg->length, &arg->length);

	if (ret || !arg->length)
		return -ENOENT;
	fake.maps--;
	return 0;
}

/* Memory lies as the model of it says: one page after the other, or not. */
static int ioas_physical(struct iommu_ioas_noiommu_get_pa *arg)
{
	if (!fake.phys)
		return -EOPNOTSUPP;
	arg->out_phys = fake.phys;
	if (arg->length > fake.contiguous)
		arg->length = fake.contiguous;
	return 0;
}

static int new_hwpt(struct iommu_hwpt_alloc *arg)
{
	if (arg->dev_id != BOUND_ID || arg->pt_id != IOAS_ID || !ioas_made)
		return -ENOENT;
	if (!fake.counts_writes || arg->flags != IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		return -EOPNOTSUPP;
	arg->out_hwpt_id = HWPT_ID;
	hwpt_made = true;
	return 0;
}

static int switch_dirty(const struct iommu_hwpt_set_dirty_tracking *arg)
{
	if (arg->hwpt_id != HWPT_ID || !hwpt_made)
		return -ENOENT;
	fake.counting = arg->flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
	return 0;
}

/* Like the kernel, it says nothing of what lies behind a gap between two maps. */
static int get_dirty(const struct iommu_hwpt_get_dirty_bitmap *arg)
{
	uint64_t *bits = (uint64_t *)(uintptr_t)arg->data;

	if (arg->hwpt_id != HWPT_ID || !hwpt_made)
		return -ENOENT;
	fake.dirty_gets++;
	for (uint64_t at = 0; at < arg->length && fake.counting; at += arg->page_size) {
		uint64_t page = (arg->iova + at) / 4096, n = at / arg->page_size;

		/* Nothing is mapped there: the model takes it. */
		if (!dfd_dma_map(fake.model, &(struct dfd_dma_map){ .iova = arg->iova + at,
								    .size = arg->page_size,
								    .prot = DFD_DMA_READ,
								    .addr = fake.feature_body })) {
			dfd_dma_unmap(fake.model, arg->iova + at, arg->page_size, NULL);
			return 0;
		}
		if (page >= 64 || !(fake.written >> page & 1))
			continue;
		bits[n / 64] |= UINT64_C(1) << n % 64;
		if (!(arg->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR))
			fake.written &= ~(UINT64_C(1) << page);
	}
	return 0;
}

/* Page tables are in use by their address space, so they go first. */
static int destroy(const struct iommu_destroy *arg)
{
	if (arg->id == HWPT_ID && hwpt_made) {
		hwpt_made = fake.counting = false;
		return 0;
	}
	if (arg->id != IOAS_ID || !ioas_made)
		return -ENOENT;
	if (hwpt_made)
		return -EBUSY;
	ioas_made = false;
	forget_maps();
	return 0;
}

static int iommufd_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case IOMMU_IOAS_ALLOC:
		((struct iommu_ioas_alloc *)arg)->out_ioas_id = IOAS_ID;
		ioas_made = true;
		return 0;
	case IOMMU_DESTROY:
		return destroy(arg);
	case IOMMU_HWPT_ALLOC:
		return new_hwpt(arg);
	case IOMMU_HWPT_SET_DIRTY_TRACKING:
		return switch_dirty(arg);
	case IOMMU_HWPT_GET_DIRTY_BITMAP:
		return get_dirty(arg);
	case IOMMU_OPTION:
		return iommufd_option(arg);
	case IOMMU_IOAS_IOVA_RANGES:
		return ioas_ranges(arg);
	case IOMMU_IOAS_MAP:
		return ioas_map_va(arg);
	case IOMMU_IOAS_MAP_FILE:
		return ioas_map_fd(arg);
	case IOMMU_IOAS_UNMAP:
		return ioas_unmap(arg);
	case IOMMU_IOAS_NOIOMMU_GET_PA:
		return ioas_physical(arg);
	default:
		return -ENOTTY;
	}
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct file *f = file_of(fd);
	int ret;

	if (ends_here(request, NULL, &ret))
		return ret;
	switch (f ? f->kind : NOTHING) {
	case CONTAINER:
		return container_ioctl(request, arg);
	case GROUP:
		return group_ioctl(request, arg);
	case IOMMUFD:
		return iommufd_ioctl(request, arg);
	case DEVICE:
		return device_ioctl(f, request, arg);
	case NOTHING:
		break;
	}
	return -ENOTTY;
}

const struct kernel_calls fake_calls = {
	.open = fake_open,
	.dup = fake_dup,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
};

/* ---- life ---- */

void fake_start(const char *model)
{
	fake = (struct fake_kernel){ .entries = 65535,
				     .page_sizes = 0x40201000,
				     .feature_gets = UINT64_MAX,
				     .feature_sets = UINT64_MAX,
				     .iommu_types =
					     1u << VFIO_TYPE1_IOMMU | 1u << VFIO_TYPE1v2_IOMMU };
	memset(files, 0, sizeof(files));
	memset(vectors, 0, sizeof(vectors));
	container_set = ioas_made = hwpt_made = false;
	iommu_set = 0;
	if (dfd_open(model, &fake.model, NULL))
		abort();
}

unsigned int fake_iommu(void)
{
	return (unsigned int)iommu_set;
}

int fake_file(const char *path)
{
	return fake_open(path, 0);
}

void fake_stop(void)
{
	dfd_device_close(fake.model);
}

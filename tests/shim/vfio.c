/* SPDX-License-Identifier: MIT */
/*
 * State machines and errnos of VFIO: container, group, iommufd and a device's own file.
 *
 * usage: vfio NAME GROUP [FILE], such as vfio 0000:00:04.0 0 /dev/vfio/devices/vfio0
 *
 * Plain system calls, so it runs on any kernel as well. Nothing here depends on the kind of device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "expect.h"

static char *memory;

#define SIZE 0x4000u

static int must_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	perror(path);
	exit(1);
}

static int map(int fd, uint64_t iova, void *addr, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.vaddr = (uintptr_t)addr,
		.iova = iova,
		.size = size,
	};

	return ioctl(fd, VFIO_IOMMU_MAP_DMA, &arg);
}

/* How many bytes were unmapped. */
static long unmap(int fd, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg), .flags = flags, .iova = iova, .size = size
	};
	int ret = ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &arg);

	return ret < 0 ? ret : (long)arg.size;
}

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

#define PAGE 0x1000u

/* A page of registers, or NULL where region 0 cannot be mapped. */
static void *registers(int device)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	void *page;

	WANT(0, ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info));
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP) || info.size < PAGE)
		return NULL;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)info.offset);
	CHECK(page != MAP_FAILED);
	return page;
}

/* ---- container and group ---- */

static void empty_container(int container)
{
	WANT(0, ioctl(container, VFIO_GET_API_VERSION));
	WANT(1, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU));
	WANT(1, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU));
	WANT(1, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_UNMAP_ALL));
	WANT(0, ioctl(container, VFIO_CHECK_EXTENSION, 2));
	WANT(0, ioctl(container, VFIO_CHECK_EXTENSION, 1000));
	WANT(-EINVAL, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	WANT(-EINVAL, map(container, 0x1000, memory, SIZE, RW));
	WANT(-EINVAL, unmap(container, 0x1000, SIZE, 0));
	WANT(-EINVAL, ioctl(container, VFIO_DEVICE_GET_INFO, NULL));
}

static void maps(int container)
{
	WANT(0, map(container, 0x10000, memory, SIZE, RW));
	WANT(-EEXIST, map(container, 0x13000, memory, SIZE, RW));
	WANT(-EINVAL, map(container, 0x20000, memory, 0, RW));
	WANT(-EINVAL, map(container, 0x20000, memory, SIZE, 0));
	WANT(-EINVAL, map(container, 0x20000, memory, SIZE, RW | 1u << 9));
	WANT(-EINVAL, map(container, 0x20001, memory, SIZE, RW));
	WANT(-EINVAL, map(container, 0x20000, memory + 1, SIZE, RW));
	WANT(-EINVAL, map(container, 0x20000, memory, SIZE + 1, RW));
	WANT(-EINVAL, map(container, 0xfee00000, memory, SIZE, RW));
	WANT(-EFAULT, map(container, 0x20000, NULL, SIZE, RW));
	WANT(-EFAULT, ioctl(container, VFIO_IOMMU_MAP_DMA, NULL));
	WANT(-EINVAL, unmap(container, 0x11000, SIZE - 0x1000, 0));
	WANT(-EINVAL, unmap(container, 0x10000, 0x1000, 0));
	WANT(-EINVAL, unmap(container, 0x10000, 0, 0));
	WANT(-EINVAL, unmap(container, 0x10000, SIZE, 1u << 9));
	WANT(-EINVAL, unmap(container, 0x10000, SIZE, VFIO_DMA_UNMAP_FLAG_ALL));
	WANT(-EOVERFLOW, map(container, UINT64_MAX - 0xfff, memory, 0x2000, RW));
	WANT(-EOVERFLOW, unmap(container, UINT64_MAX - 0xfff, 0x2000, 0));
	WANT(0, unmap(container, 0x40000, SIZE, 0));
	WANT(SIZE, unmap(container, 0x8000, 0x10000, 0));
	WANT(0, unmap(container, 0x8000, 0x10000, 0));
	WANT(0, map(container, 0x10000, memory, SIZE, RW));
	WANT(SIZE, unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL));
}

static void info(int container)
{
	struct vfio_iommu_type1_info head = { .argsz = 8 };
	uint32_t buf[256] = { sizeof(buf) };

	WANT(-EINVAL, ioctl(container, VFIO_IOMMU_GET_INFO, &head));
	head.argsz = sizeof(head);
	WANT(0, ioctl(container, VFIO_IOMMU_GET_INFO, &head));
	CHECK(head.flags == (VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS));
	CHECK(head.argsz > sizeof(head) && !head.cap_offset && (head.iova_pgsizes & 0x1000));
	WANT(0, ioctl(container, VFIO_IOMMU_GET_INFO, buf));
	CHECK(((struct vfio_iommu_type1_info *)buf)->cap_offset == sizeof(head));
}

static void group_status(int group, uint32_t want)
{
	struct vfio_group_status status = { .argsz = sizeof(status) - 1 };

	WANT(-EINVAL, ioctl(group, VFIO_GROUP_GET_STATUS, &status));
	status.argsz = sizeof(status);
	WANT(0, ioctl(group, VFIO_GROUP_GET_STATUS, &status));
	WANT(want, status.flags);
}

static void group_device(int group, int container, const char *name)
{
	char other[64];
	int device, again;
	void *page;

	snprintf(other, sizeof(other), "%s vf_token=", name);
	WANT(-EFAULT, ioctl(group, VFIO_GROUP_GET_DEVICE_FD, NULL));
	WANT(-ENODEV, ioctl(group, VFIO_GROUP_GET_DEVICE_FD, "ffff:ff:1f.7"));
	WANT(-EINVAL, ioctl(group, VFIO_GROUP_GET_DEVICE_FD, other));
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	again = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	CHECK(device >= 0 && again >= 0);
	CHECK(fcntl(device, F_GETFD) == FD_CLOEXEC);
	WANT(0, ioctl(device, VFIO_DEVICE_GET_INFO, &(struct vfio_device_info){ .argsz = 16 }));
	WANT(-EINVAL,
	     ioctl(device, VFIO_DEVICE_GET_INFO, &(struct vfio_device_info){ .argsz = 8 }));
	WANT(-ENOTTY, ioctl(device, VFIO_GROUP_GET_STATUS, NULL));
	WANT(-EBUSY, ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
	close(device);
	WANT(-EBUSY, ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
	WANT(0, map(container, 0x10000, memory, SIZE, RW));
	page = registers(again);
	if (page)
		WANT(0, map(container, 0x40000, page, PAGE, RW));
	munmap(page, PAGE);
	close(again);
	WANT(0, ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
}

static void groups(const char *name, const char *path)
{
	int container = must_open("/dev/vfio/vfio"), group, other = open("/dev/null", O_RDWR);

	empty_container(container);
	group = must_open(path);
	WANT(-EBUSY, open(path, O_RDWR));
	group_status(group, VFIO_GROUP_FLAGS_VIABLE);
	WANT(-ENOTTY, ioctl(group, VFIO_GET_API_VERSION));
	WANT(-EINVAL, ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
	WANT(-EINVAL, ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name));
	WANT(-EFAULT, ioctl(group, VFIO_GROUP_SET_CONTAINER, NULL));
	WANT(-EBADF, ioctl(group, VFIO_GROUP_SET_CONTAINER, &(int){ -1 }));
	WANT(-EBADFD, ioctl(group, VFIO_GROUP_SET_CONTAINER, &other));
	WANT(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	WANT(-EINVAL, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	group_status(group, VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET);
	WANT(-EINVAL, ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name));
	WANT(-ENODEV, ioctl(container, VFIO_SET_IOMMU, 1000));
	WANT(0, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	WANT(-EINVAL, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	WANT(-ENOTTY, ioctl(container, VFIO_DEVICE_GET_INFO, NULL));
	info(container);
	maps(container);
	group_device(group, container, name);
	WANT(-EINVAL,
	     map(container, 0x10000, memory, SIZE, RW)); /* the IOMMU went with the group */
	WANT(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	WANT(0, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	WANT(0, map(container, 0x10000, memory, SIZE, RW));
	WANT(0, unmap(container, 0x11000, 0x1000, 0)); /* version 1: all or nothing */
	WANT(SIZE, unmap(container, 0x10000, 0x1000, 0));
	close(group);
	WANT(-EINVAL, map(container, 0x10000, memory, SIZE, RW));
	close(container);
	close(other);
	group = must_open(path);
	close(group);
}

/* ---- iommufd ---- */

static long ioas_alloc(int fd)
{
	struct iommu_ioas_alloc arg = { .size = sizeof(arg) };

	return ioctl(fd, IOMMU_IOAS_ALLOC, &arg) ? -1 : (long)arg.out_ioas_id;
}

static long ioas_map(int fd, uint32_t id, uint32_t flags, uint64_t iova, void *addr, uint64_t len)
{
	struct iommu_ioas_map arg = {
		.size = sizeof(arg),
		.flags = flags,
		.ioas_id = id,
		.user_va = (uintptr_t)addr,
		.length = len,
		.iova = iova,
	};

	return ioctl(fd, IOMMU_IOAS_MAP, &arg);
}

static long ioas_unmap(int fd, uint32_t id, uint64_t iova, uint64_t len)
{
	struct iommu_ioas_unmap arg = { sizeof(arg), id, iova, len };
	int ret = ioctl(fd, IOMMU_IOAS_UNMAP, &arg);

	return ret < 0 ? ret : (long)arg.length;
}

static long destroy(int fd, uint32_t id)
{
	return ioctl(fd, IOMMU_DESTROY, &(struct iommu_destroy){ 8, id });
}

#define FIXED_RW (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static void ioas(int fd, uint32_t id)
{
	struct iommu_ioas_iova_ranges none = { .size = sizeof(none), .ioas_id = id };
	struct iommu_ioas_copy copy = { .size = sizeof(copy),
					.flags = FIXED_RW,
					.dst_ioas_id = id,
					.src_ioas_id = id,
					.length = 0x1000,
					.dst_iova = 0x80000,
					.src_iova = 0x11000 };

	WANT(-EMSGSIZE, ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &none));
	CHECK(none.num_iovas >= 1);
	WANT(0, ioas_map(fd, id, FIXED_RW, 0x10000, memory, SIZE));
	WANT(-EEXIST, ioas_map(fd, id, FIXED_RW, 0x13000, memory, SIZE));
	WANT(-EINVAL, ioas_map(fd, id, IOMMU_IOAS_MAP_FIXED_IOVA, 0x20000, memory, SIZE));
	WANT(-EOPNOTSUPP, ioas_map(fd, id, FIXED_RW | 1u << 9, 0x20000, memory, SIZE));
	WANT(-EINVAL, ioas_map(fd, id, FIXED_RW, 0x20000, memory, 0));
	WANT(-ENOENT, ioas_map(fd, 12345, FIXED_RW, 0x20000, memory, SIZE));
	WANT(0, ioctl(fd, IOMMU_IOAS_COPY, &copy));
	WANT(-EEXIST, ioctl(fd, IOMMU_IOAS_COPY, &copy));
	copy.src_iova = 0x70000;
	WANT(-ENOENT, ioctl(fd, IOMMU_IOAS_COPY, &copy));
	WANT(-ENOENT, ioas_unmap(fd, id, 0x10000, 0x1000));
	WANT(-ENOENT, ioas_unmap(fd, id, 0x20000, 0x1000));
	WANT(-EINVAL, ioas_unmap(fd, id, 0x20000, 0));
	WANT(SIZE, ioas_unmap(fd, id, 0x10000, SIZE));
	WANT(0x1000, ioas_unmap(fd, id, 0, UINT64_MAX));
	WANT(0, ioas_unmap(fd, id, 0, UINT64_MAX));
}

static int iommufd(void)
{
	struct iommu_ioas_alloc grown[2] = { { .size = sizeof(grown) } };
	int fd = must_open("/dev/iommu");
	long id = ioas_alloc(fd);

	WANT(-ENOTTY, ioctl(fd, _IO(';', 0xff), &grown));
	WANT(-EFAULT, ioctl(fd, IOMMU_IOAS_ALLOC, NULL));
	WANT(-EINVAL, ioctl(fd, IOMMU_IOAS_ALLOC, &(uint32_t){ 8 }));
	grown[1].flags = 1;
	WANT(-E2BIG, ioctl(fd, IOMMU_IOAS_ALLOC, grown));
	grown[1].flags = 0;
	grown[0].flags = 1;
	WANT(-EOPNOTSUPP, ioctl(fd, IOMMU_IOAS_ALLOC, grown));
	CHECK(id > 0);
	ioas(fd, (uint32_t)id);
	WANT(0, destroy(fd, (uint32_t)id));
	WANT(-ENOENT, destroy(fd, (uint32_t)id));
	WANT(0, ioctl(fd, VFIO_GET_API_VERSION));
	WANT(-ENODEV, ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	WANT(-ENODEV, map(fd, 0x1000, memory, SIZE, RW));
	return fd;
}

/* ---- a device's own file ---- */

static long bind_to(int device, int iommu, uint32_t flags)
{
	struct vfio_device_bind_iommufd arg = { .argsz = 16, .flags = flags, .iommufd = iommu };

	return ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &arg);
}

static long attach(int device, uint32_t flags, uint32_t id)
{
	struct vfio_device_attach_iommufd_pt arg = { .argsz = 12, .flags = flags, .pt_id = id };

	return ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &arg);
}

static long detach(int device)
{
	struct vfio_device_detach_iommufd_pt arg = { .argsz = 8 };

	return ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &arg);
}

static void unbound(int device, int iommu)
{
	uint32_t value;

	WANT(-EINVAL, ioctl(device, VFIO_DEVICE_GET_INFO, NULL));
	WANT(-EINVAL, ioctl(device, VFIO_DEVICE_RESET));
	WANT(-EINVAL, pread(device, &value, 4, 0));
	WANT(-EINVAL, attach(device, 0, 1));
	WANT(-EINVAL, bind_to(device, -1, 0));
	WANT(-EINVAL, bind_to(device, iommu, 1u << 9));
	WANT(-EBADF, bind_to(device, 1000, 0));
	WANT(-EBADFD, bind_to(device, device, 0));
	WANT(-EFAULT, ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, NULL));
	WANT(-EINVAL, ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &(uint32_t[4]){ 12 }));
}

static void cdev(const char *file, const char *group)
{
	int iommu = iommufd(), device = must_open(file), second = must_open(file), fd;
	uint32_t id = (uint32_t)ioas_alloc(iommu);
	void *page;

	unbound(device, iommu);
	fd = must_open(group);
	WANT(-EBUSY, bind_to(device, iommu, 0));
	close(fd);
	WANT(0, bind_to(device, iommu, 0));
	WANT(-EINVAL, bind_to(device, iommu, 0));
	WANT(-EINVAL, bind_to(second, iommu, 0));
	WANT(-EBUSY, open(group, O_RDWR));
	WANT(0, ioctl(device, VFIO_DEVICE_GET_INFO, &(struct vfio_device_info){ .argsz = 16 }));
	WANT(-EINVAL, attach(device, 1u << 9, id));
	WANT(-ENOENT, attach(device, 0, 12345));
	WANT(0, ioas_map(iommu, id, FIXED_RW, 0x10000, memory, SIZE));
	WANT(0, detach(device));
	WANT(0, attach(device, 0, id));
	WANT(-EBUSY, destroy(iommu, id));
	WANT(-EINVAL, ioas_map(iommu, id, FIXED_RW, 0xfee00000, memory, SIZE));
	WANT(SIZE, ioas_unmap(iommu, id, 0x10000, SIZE));
	ioas(iommu, id);
	page = registers(device);
	if (page)
		WANT(-EFAULT, ioas_map(iommu, id, FIXED_RW, 0x40000, page, PAGE));
	munmap(page, PAGE);
	WANT(0, detach(device));
	WANT(0, destroy(iommu, id));
	close(device);
	WANT(0, bind_to(second, iommu, 0));
	close(second);
	close(iommu);
	close(must_open(group));
}

int main(int argc, char **argv)
{
	char group[64];

	if (argc != 3 && argc != 4)
		return 2;
	snprintf(group, sizeof(group), "/dev/vfio/%s", argv[2]);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	groups(argv[1], group);
	if (argc == 4)
		cdev(argv[3], group);
	printf("%d failures\n", failures);
	return failures > 0;
}

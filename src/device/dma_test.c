/* SPDX-License-Identifier: MIT */
/* DMA maps of a model: many of them, of shared files, and what becomes of the files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/provider.h>

#define MANY 60000u
#define PAGE UINT64_C(4096)

static int setup(void **state)
{
	static const struct dfd_device_ops ops = { .size = sizeof(ops), .name = "memory" };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_model_new(desc, &ops, NULL, NULL, &dev, NULL), 0);
	dfd_desc_unref(desc);
	*state = dev;
	return 0;
}

static int teardown(void **state)
{
	dfd_device_close(*state);
	return 0;
}

static int new_file(uint64_t size, int seals)
{
	int fd = memfd_create("dma-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int map(struct dfd_device *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset,
	       uint32_t prot)
{
	return dfd_dma_map(dev, &(struct dfd_dma_map){ .iova = iova,
						       .size = size,
						       .prot = prot,
						       .kind = DFD_DMA_FD,
						       .fd = fd,
						       .fd_offset = offset });
}

static uint64_t unmap_all(struct dfd_device *dev)
{
	uint64_t bytes;

	assert_int_equal(dfd_dma_unmap(dev, 0, UINT64_MAX, &bytes), 0);
	return bytes;
}

static void not_done(void *ctx, int status)
{
	(void)ctx;
	(void)status;
	fail();
}

/* Read four bytes. Return: 1 or a negative errno. */
static int get(struct dfd_device *dev, uint64_t iova, char *buf)
{
	return dfd_dma_read(dfd_device_host(dev), iova, buf, 4, not_done, NULL);
}

static int put(struct dfd_device *dev, uint64_t iova, const char *text)
{
	return dfd_dma_write(dfd_device_host(dev), iova, text, 4, not_done, NULL);
}

static void assert_holds(struct dfd_device *dev, uint64_t iova, const char *text)
{
	char buf[4];

	assert_int_equal(get(dev, iova, buf), 1);
	assert_memory_equal(buf, text, 4);
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* How much of the file is mapped into this process, and in how many places. */
static uint64_t count_mappings(int fd, unsigned int *places)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t bytes = 0;
	struct stat st;
	char line[512];

	*places = 0;
	assert_int_equal(fstat(fd, &st), 0);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end, inode;

		if (sscanf(line, "%lx-%lx %*s %*x %*s %lu", &start, &end, &inode) == 3 &&
		    inode == st.st_ino) {
			bytes += end - start;
			++*places;
		}
	}
	fclose(maps);
	return bytes;
}

static void assert_mapped(int fd, uint64_t size, unsigned int places)
{
	unsigned int found;

	assert_int_equal(count_mappings(fd, &found), size);
	assert_int_equal(found, places);
}

static void test_one_mapping_for_many(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(MANY * PAGE, F_SEAL_SHRINK);
	unsigned int fds = count_fds();

	for (uint64_t i = 0; i < MANY; i++)
		assert_int_equal(map(dev, (2 * MANY - i) * PAGE, PAGE, fd, i * PAGE, 3), 0);
	assert_int_equal(count_fds(), fds);
	assert_mapped(fd, MANY * PAGE, 1);
	assert_int_equal(put(dev, (2 * MANY - 7) * PAGE + 8, "abcd"), 1);
	assert_int_equal(put(dev, (2 * MANY - 8) * PAGE + PAGE - 2, "wxyz"), 1); /* two maps */
	assert_holds(dev, (2 * MANY - 7) * PAGE, (char[4]){ 'y', 'z' });
	assert_int_equal(unmap_all(dev), MANY * PAGE);
	assert_int_equal(get(dev, 2 * MANY * PAGE, (char[4]){ 0 }), -EFAULT);
	for (int i = 0; i < 100; i++)
		dfd_device_service(dev);
	assert_mapped(fd, 0, 0);
	close(fd);
}

static void test_one_fd_for_many(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(64 * PAGE, 0), other;
	unsigned int fds = count_fds();

	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(map(dev, i * PAGE, PAGE, fd, (63 - i) * PAGE, 3), 0);
	assert_int_equal(count_fds(), fds + 1);
	other = dup(fd);
	close(fd); /* the caller's is not needed */
	assert_int_equal(put(dev, 5 * PAGE, "five"), 1);
	for (uint64_t i = 0; i < 64; i++) {
		if (i != 5)
			assert_int_equal(dfd_dma_unmap(dev, i * PAGE, PAGE, NULL), 0);
	}
	assert_holds(dev, 5 * PAGE, "five");
	assert_int_equal(unmap_all(dev), PAGE);
	assert_int_equal(count_fds(), fds);
	close(other);
}

static void test_file_that_is_left(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(4 * PAGE, F_SEAL_SHRINK);

	assert_int_equal(map(dev, 0x10000, PAGE, fd, PAGE, 3), 0);
	assert_int_equal(map(dev, 0x20000, PAGE, fd, PAGE + 100, 3), 0); /* no page border */
	close(fd);
	assert_int_equal(put(dev, 0x10000 + 100, "left"), 1);
	assert_int_equal(dfd_dma_unmap(dev, 0x10000, PAGE, NULL), 0);
	assert_holds(dev, 0x20000, "left");
	assert_int_equal(unmap_all(dev), PAGE);
}

/* What its owner has cut off does not come back by a write of the device. */
static void test_file_that_shrinks(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(2 * PAGE, 0);
	struct stat st;

	assert_int_equal(map(dev, 0x10000, 2 * PAGE, fd, 0, 3), 0);
	assert_int_equal(put(dev, 0x10000 + PAGE, "here"), 1);
	assert_int_equal(ftruncate(fd, (off_t)PAGE + 2), 0);
	assert_int_equal(get(dev, 0x10000 + PAGE, (char[4]){ 0 }), -EFAULT);
	assert_int_equal(put(dev, 0x10000 + PAGE, "gone"), -EFAULT);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, PAGE + 2);
	assert_int_equal(put(dev, 0x10000 + PAGE - 2, "left"), 1);
	assert_int_equal(ftruncate(fd, (off_t)(2 * PAGE)), 0);
	assert_holds(dev, 0x10000 + PAGE - 2, "left");
	assert_holds(dev, 0x10000 + PAGE, (char[4]){ 'f', 't' });
	unmap_all(dev);
	close(fd);
}

/* A file gets sealed, and grows, between two maps of it. */
static void test_file_that_changes(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(PAGE, 0);

	assert_int_equal(map(dev, 0x10000, PAGE, fd, 0, 3), 0);
	assert_mapped(fd, 0, 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(map(dev, 0x20000, PAGE, fd, 0, 3), 0);
	assert_mapped(fd, PAGE, 1);
	assert_int_equal(map(dev, 0x30000, PAGE, fd, PAGE, 3), 0); /* beyond its end */
	assert_int_equal(get(dev, 0x30000, (char[4]){ 0 }), -EFAULT);
	assert_int_equal(ftruncate(fd, (off_t)(1000 * PAGE)), 0);
	assert_int_equal(map(dev, 0x40000, PAGE, fd, 999 * PAGE, 3), 0);
	assert_mapped(fd, 1000 * PAGE, 1);
	assert_int_equal(put(dev, 0x10000, "both"), 1);
	assert_holds(dev, 0x20000, "both");
	assert_int_equal(put(dev, 0x30000, "more"), 1);
	assert_holds(dev, 0x30000, "more");
	assert_int_equal(put(dev, 0x40000, "last"), 1);
	unmap_all(dev);
	assert_mapped(fd, 0, 0);
	close(fd);
}

/* Whoever has a file for reading only does not write through the fd of somebody else. */
static void test_rights_of_a_file(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(PAGE, F_SEAL_SHRINK), reader;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(reader >= 0);
	assert_int_equal(map(dev, 0x10000, PAGE, fd, 0, DFD_DMA_READ), 0);
	assert_int_equal(map(dev, 0x20000, PAGE, fd, 0, 3), 0); /* more than the first had */
	assert_int_equal(map(dev, 0x30000, PAGE, reader, 0, 3), -EACCES);
	assert_int_equal(map(dev, 0x30000, PAGE, reader, 0, DFD_DMA_READ), 0);
	assert_int_equal(map(dev, 0x40000, PAGE, reader, 0, 3), -EACCES);
	assert_int_equal(put(dev, 0x10000, "none"), -EFAULT);
	assert_int_equal(put(dev, 0x30000, "none"), -EFAULT);
	assert_int_equal(put(dev, 0x20000, "some"), 1);
	assert_holds(dev, 0x30000, "some");
	assert_int_equal(unmap_all(dev), 3 * PAGE);
	assert_mapped(fd, 0, 0);
	close(reader);
	close(fd);
}

/* Too big to be mapped whole: reached by file. */
static void test_file_too_big(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(UINT64_C(1) << 60, F_SEAL_SHRINK);

	assert_int_equal(map(dev, 0x10000, PAGE, fd, UINT64_C(1) << 59, 3), 0);
	assert_int_equal(put(dev, 0x10000, "here"), 1);
	assert_holds(dev, 0x10000, "here");
	close(fd);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A big mapping goes in slices with pauses, and the poll fd asks for service until it has gone. */
static void test_slices(void **state)
{
	struct dfd_device *dev = *state;
	uint64_t size = UINT64_C(1) << 40, before, left;
	uint64_t start = now_ms();
	struct pollfd p = { .fd = dfd_device_poll_fd(dev), .events = POLLIN };
	int fd = new_file(size, F_SEAL_SHRINK);
	unsigned int places;
	uint64_t rounds = 0;

	assert_int_equal(map(dev, 0x12345, size, fd, 0, 3), 0);
	assert_int_equal(put(dev, 0x12345 + size - 4, "last"), 1);
	assert_mapped(fd, size, 1);
	assert_int_equal(unmap_all(dev), size);
	assert_int_equal(get(dev, 0x12345, (char[4]){ 0 }), -EFAULT);
	left = count_mappings(fd, &places);
	assert_in_range(left, 1, size - 1);
	while (left) {
		before = left;
		assert_int_equal(poll(&p, 1, 60000), 1);
		assert_int_equal(dfd_device_service(dev), 0);
		left = count_mappings(fd, &places);
		assert_true(left < before);
		assert_true(places <= 1);
		rounds++;
	}
	assert_true(now_ms() - start >= 40 * rounds - 1); /* in whole milliseconds */
	close(fd);
}

/* Unmapping takes whole maps, over holes and maps of all sizes. */
static void test_unmap_rules(void **state)
{
	struct dfd_device *dev = *state;
	int fd = new_file(16 * PAGE, F_SEAL_SHRINK);
	uint64_t bytes = 1;

	assert_int_equal(map(dev, 0x1001, 3, fd, 1, 3), 0);
	assert_int_equal(map(dev, 0x1004, 0x2000, fd, 4, 3), 0);
	assert_int_equal(map(dev, 0x8000, 0x8000, fd, 0, 3), 0);
	assert_int_equal(map(dev, UINT64_MAX - 7, 8, fd, 0, 3), 0);
	assert_int_equal(map(dev, 0, 0x1002, fd, 0, 3), -EEXIST);
	assert_int_equal(dfd_dma_unmap(dev, 0x1002, 0x3000, &bytes), -EINVAL);
	assert_int_equal(dfd_dma_unmap(dev, 0x1001, 0x2000, &bytes), -EINVAL);
	assert_int_equal(dfd_dma_unmap(dev, 0x9000, 0x1000, &bytes), -EINVAL);
	assert_int_equal(bytes, 0);
	assert_int_equal(dfd_dma_unmap(dev, 0x3004, 0x4ffc, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(dfd_dma_unmap(dev, 0, 0x8000, &bytes), 0);
	assert_int_equal(bytes, 0x2003);
	assert_int_equal(dfd_dma_unmap(dev, UINT64_MAX - 7, 8, &bytes), 0);
	assert_int_equal(bytes, 8);
	assert_int_equal(unmap_all(dev), 0x8000);
	close(fd);
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DEVICE(test_one_mapping_for_many), WITH_DEVICE(test_one_fd_for_many),
		WITH_DEVICE(test_file_that_is_left),	WITH_DEVICE(test_file_that_shrinks),
		WITH_DEVICE(test_file_that_changes),	WITH_DEVICE(test_rights_of_a_file),
		WITH_DEVICE(test_file_too_big),		WITH_DEVICE(test_slices),
		WITH_DEVICE(test_unmap_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

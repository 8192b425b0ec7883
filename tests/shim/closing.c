/* SPDX-License-Identifier: MIT */
/*
 * A thread closes the last fd of an object while another one is in a call on it: as in the kernel,
 * the call ends first.
 *
 * usage: closing, with a device behind VFIO
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "expect.h"

#define ROUNDS 400
/* Others that are looked at first, so that there is time to close one. */
#define OTHERS 200

static const char *const paths[] = { "/dev/iommu", "/dev/vfio/0" };
static int fd, others[OTHERS];
static pthread_barrier_t start;

static void *close_it(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&start);
		for (volatile int wait = i % 40 * 400; wait; wait--)
			;
		close(fd);
		pthread_barrier_wait(&start);
	}
	return arg;
}

static void call_it(int round)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int ret;

	fd = open(paths[round % 2], O_RDWR);
	CHECK(fd >= 0);
	pthread_barrier_wait(&start);
	ret = round % 2 ? ioctl(fd, VFIO_GROUP_GET_STATUS, &status)
			: ioctl(fd, IOMMU_IOAS_ALLOC, &alloc);
	CHECK(!ret || errno == EBADF || errno == ENODEV);
	pthread_barrier_wait(&start);
}

int main(void)
{
	pthread_t closer;

	for (int i = 0; i < OTHERS; i++) {
		others[i] = open("/dev/vfio/vfio", O_RDWR);
		CHECK(others[i] >= 0);
	}
	CHECK(!pthread_barrier_init(&start, NULL, 2));
	CHECK(!pthread_create(&closer, NULL, close_it, NULL));
	for (int i = 0; i < ROUNDS && !failures; i++)
		call_it(i);
	if (!failures)
		pthread_join(closer, NULL);
	return failures != 0;
}

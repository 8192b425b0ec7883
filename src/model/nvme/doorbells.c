/* SPDX-License-Identifier: MIT */
/*
 * doorbells=mapped: the page with the doorbells is memory that the driver maps.
 *
 * Nothing tells of a write to memory, so while the controller is ready the page is looked at in
 * every service. Such a device always has work; it wants a thread that does nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/nvme/nvme.h"

#define FILE_SIZE (NVME_DOORBELLS + NVME_PAGE) /* as in the BAR */

int nvme_doorbells_open(struct nvme_doorbells *d)
{
	void *page;

	d->fd = memfd_create("nvme-doorbells", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (d->fd < 0 || ftruncate(d->fd, FILE_SIZE) ||
	    fcntl(d->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	page = mmap(NULL, NVME_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, NVME_DOORBELLS);
	if (page == MAP_FAILED)
		return -errno;
	d->page = page;
	return 0;
}

void nvme_doorbells_close(struct nvme_doorbells *d)
{
	if (d->page)
		munmap(d->page, NVME_PAGE);
	if (d->fd >= 0)
		close(d->fd);
	d->page = NULL;
	d->fd = -1;
}

void nvme_doorbells_set(struct nvme *n, uint32_t number, uint32_t value)
{
	struct nvme_doorbells *d = &n->doorbells;

	if (!d->page || number >= NVME_PAGE / 4)
		return;
	atomic_store(&d->page[number], htole32(value));
	if (number < 2 * NVME_QUEUES)
		d->seen[number] = value;
}

void nvme_doorbells_poll(struct nvme *n)
{
	struct nvme_doorbells *d = &n->doorbells;

	if (!d->page || !nvme_running(n))
		return;
	for (uint32_t i = 0; i < 2 * NVME_QUEUES; i++) {
		uint32_t value = le32toh(atomic_load(&d->page[i]));

		if (value == d->seen[i])
			continue;
		d->seen[i] = value;
		nvme_doorbell(n, i, value);
	}
	dfd_timer(nvme_host(n), NVME_TIMER_DOORBELLS, 0);
}

/* SPDX-License-Identifier: MIT */
/* See the theory of operation in backing.h. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shim/backing.h"
#include "shim/core.h"
#include "shim/maps.h"
#include "util/usermem.h"

#define TMPFS_MAGIC 0x01021994

#ifndef F_SEAL_FUTURE_WRITE /* Linux 5.1 */
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/**
 * struct backing - what is mapped
 * @pid: in which process
 * @first, @end: addresses of the first mapping of it
 * @offset: where @vaddr is in the file
 * @prot: DFD_DMA_*
 */
struct backing {
	pid_t pid;
	uint64_t vaddr, size;
	uint64_t first, end;
	uint64_t offset;
	uint32_t prot;
	dev_t dev;
	ino_t ino;
};

/* ---- what the kernel says of the memory ---- */

static bool may_be_used(const struct mapping *m, uint32_t prot)
{
	return m->prot[3] == 's' && m->ino && (!(prot & DFD_DMA_READ) || m->prot[0] == 'r') &&
	       (!(prot & DFD_DMA_WRITE) || m->prot[1] == 'w');
}

static void begin(struct backing *b, const struct mapping *m)
{
	b->first = m->first;
	b->end = m->end;
	b->dev = m->dev;
	b->ino = m->ino;
	b->offset = m->offset + (b->vaddr - m->first);
}

/* Mappings lie side by side where the program has changed the protection of a part. */
static bool goes_on(const struct backing *b, const struct mapping *m, uint64_t at)
{
	return m->dev == b->dev && m->ino == b->ino &&
	       m->offset + (at - m->first) == b->offset + (at - b->vaddr);
}

static int look(void *ctx, const struct mapping *m)
{
	struct backing *b = ctx;
	uint64_t at = m->first > b->vaddr ? m->first : b->vaddr;

	if (at == b->vaddr)
		begin(b, m);
	return may_be_used(m, b->prot) && goes_on(b, m, at) ? 0 : -ENOENT;
}

/* ---- an fd of that file ---- */

static bool is_the_file(const struct backing *b, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_dev == b->dev && st->st_ino == b->ino;
}

/* Does the fd allow what the mapping does, at the offset that is asked for? */
static bool is_open_for(int fd, uint32_t prot)
{
	int flags = NEXT(fcntl)(fd, F_GETFL), mode = flags & O_ACCMODE;
	int seals = NEXT(fcntl)(fd, F_GET_SEALS);

	if (flags < 0 || (flags & (O_PATH | O_APPEND | O_DIRECT)))
		return false;
	if ((prot & DFD_DMA_READ) && mode == O_WRONLY)
		return false;
	if (!(prot & DFD_DMA_WRITE))
		return true;
	return mode != O_RDONLY && (seals < 0 || !(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)));
}

/* The last page of a file may be mapped beyond its end. */
static bool covers(const struct stat *st, const struct backing *b)
{
	uint64_t size = (uint64_t)st->st_size;

	return b->offset <= size && b->size <= size - b->offset;
}

/* Files on disks and those of huge pages stay the program's own. */
static bool can_be_shared(const struct backing *b, int fd)
{
	struct statfs fs;
	struct stat st;

	if (NEXT(fstat)(fd, &st) || !is_the_file(b, &st) || !covers(&st, b))
		return false;
	return !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC && is_open_for(fd, b->prot);
}

/* Looked at only once it is ours: the program may close its number, and open another file there. */
static int check(const struct backing *b, int fd)
{
	if (fd < 0 || can_be_shared(b, fd))
		return fd;
	close(fd);
	return -1;
}

/* Not one of the low numbers, which programs count on. */
static int duplicate(int number)
{
	int mine = dfd_user_fd(number);
	int fd = NEXT(fcntl)(mine, F_DUPFD_CLOEXEC, SHIM_LOW_FDS);

	if (fd < 0)
		fd = NEXT(fcntl)(mine, F_DUPFD_CLOEXEC, 0);
	dfd_user_fd_done(mine);
	return fd;
}

static int from_table(const struct backing *b)
{
	char path[32];
	struct dirent *entry;
	struct stat st;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)b->pid);
	dir = opendir(path);
	while (dir && fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !NEXT(fstatat)(dirfd(dir), entry->d_name, &st, 0) &&
		    is_the_file(b, &st))
			fd = check(b, duplicate(atoi(entry->d_name)));
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* Of a file that is open no more; the kernel lets root do that, and few others. */
static int from_mapping(const struct backing *b)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)b->pid,
		 b->first, b->end);
	return check(b,
		     NEXT(open)(path, (b->prot & DFD_DMA_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC));
}

int backing_find(uint64_t vaddr, uint64_t size, uint32_t prot, uint64_t *offset)
{
	struct backing b = { .pid = dfd_user_pid(), .vaddr = vaddr, .size = size, .prot = prot };
	int fd, saved = errno;

	if (maps_look_up(b.pid, vaddr, size, look, &b))
		return -1;
	fd = from_table(&b);
	if (fd < 0)
		fd = from_mapping(&b);
	errno = saved;
	*offset = b.offset;
	return fd;
}

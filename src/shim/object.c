/* SPDX-License-Identifier: MIT */
/* See the theory of operation in vfio.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/vfio.h"
#include "util/usermem.h"

static struct vfio_object objects[VFIO_MAX_OBJECTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * A child of fork() has the objects of its parent. It releases none, because a device that is
 * elsewhere is not its own to put back.
 */
static bool inherited;

/* A call on it is under way; it stays until that is over, whoever closes its last fd meanwhile. */
static const struct vfio_object *called;

/* By an fd. One that has none any more, but is held by others, is not called. */
static struct vfio_object *find(uint64_t inode)
{
	for (uint32_t i = 0; i < VFIO_MAX_OBJECTS && inode; i++) {
		if (objects[i].kind != VFIO_FREE && objects[i].open && objects[i].inode == inode)
			return &objects[i];
	}
	return NULL;
}

struct shim_mount *vfio_mount(uint64_t inode)
{
	const struct vfio_object *o;

	shim_mutex_lock(&lock);
	o = find(inode);
	shim_mutex_unlock(&lock);
	return o ? o->mount : NULL;
}

struct vfio_object *vfio_object_new(enum vfio_kind kind, struct shim_mount *m)
{
	for (uint32_t i = 0; i < VFIO_MAX_OBJECTS; i++) {
		if (objects[i].kind == VFIO_FREE) {
			objects[i] = (struct vfio_object){ .kind = kind, .mount = m, .keep = -1 };
			return &objects[i];
		}
	}
	return NULL;
}

int vfio_object_of(int fd, struct vfio_object **o)
{
	int mine = dfd_user_fd(fd);

	if (mine < 0)
		return mine;
	*o = find(shim_memfd_inode(mine));
	dfd_user_fd_done(mine);
	return *o ? 0 : -EBADFD;
}

bool vfio_is_open(enum vfio_kind kind, const struct shim_mount *m, const struct vfio_object *but)
{
	for (unsigned int i = 0; i < VFIO_MAX_OBJECTS; i++) {
		const struct vfio_object *o = &objects[i];

		if (but && o == but)
			continue;
		if (o->kind == kind && o->mount == m && (kind != VFIO_DEVICE || o->bound))
			return true;
	}
	return false;
}

struct vfio_object *vfio_next_of_group(const struct shim_mount *group,
				       const struct vfio_object *after)
{
	for (uint32_t i = after ? (uint32_t)(after - objects) + 1 : 0; i < VFIO_MAX_OBJECTS; i++) {
		if (objects[i].kind == VFIO_DEVICE && objects[i].bound &&
		    objects[i].mount->device == group)
			return &objects[i];
	}
	return NULL;
}

struct vfio_object *vfio_in_use(const struct shim_mount *m)
{
	for (unsigned int i = 0; i < VFIO_MAX_OBJECTS; i++) {
		if (objects[i].kind == VFIO_DEVICE && objects[i].mount == m && objects[i].bound)
			return &objects[i];
	}
	return NULL;
}

int vfio_get(void *to, const void *user, size_t minsz)
{
	uint32_t size;

	if (dfd_copy_in(to, user, minsz))
		return -EFAULT;
	memcpy(&size, to, sizeof(size));
	return size < minsz ? -EINVAL : 0;
}

int vfio_check_tail(const void *user, size_t known, size_t size)
{
	for (size_t at = known; at < size;) {
		uint8_t piece[64];
		size_t n = size - at < sizeof(piece) ? size - at : sizeof(piece);

		if (dfd_copy_in(piece, (const char *)user + at, n))
			return -EFAULT;
		for (size_t i = 0; i < n; i++) {
			if (piece[i])
				return -E2BIG;
		}
		at += n;
	}
	return 0;
}

/* ---- living and dying ---- */

static void release(struct vfio_object *o)
{
	if (o->kind == VFIO_CONTAINER)
		container_release(o);
	else if (o->kind == VFIO_GROUP)
		group_leave(o);
	else if (o->kind == VFIO_IOMMUFD)
		iommufd_release(o);
	else
		cdev_release(o);
	vfio_hold(o, NULL);
	if (o->keep >= 0)
		NEXT(close)(o->keep);
	o->kind = VFIO_FREE;
}

void vfio_hold(struct vfio_object *o, struct vfio_object *parent)
{
	struct vfio_object *old = o->parent;

	if (parent)
		parent->holders++;
	o->parent = parent;
	if (old && !--old->holders && !old->open)
		release(old);
}

void vfio_sweep(void)
{
	for (uint32_t i = 0; i < VFIO_MAX_OBJECTS && !inherited; i++) {
		struct vfio_object *o = &objects[i];

		if (o->kind == VFIO_FREE || !o->open || o == called ||
		    side_in_use(o->keep, o->inode))
			continue;
		o->open = false;
		if (!o->holders)
			release(o);
	}
}

void vfio_closed(void)
{
	int saved = errno;

	if (side_vforked())
		return; /* the fds are the child's and the objects the parent's */
	shim_mutex_lock(&lock);
	vfio_sweep();
	shim_mutex_unlock(&lock);
	errno = saved;
}

/* ---- opening ---- */

/* An own opening, because the access mode is one of an opening. */
static int reopen(int fd, int flags)
{
	char path[32];
	int again, ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = NEXT(open)(path, flags);
	if (again < 0)
		return -errno;
	ret = NEXT(dup3)(again, fd, flags & O_CLOEXEC) < 0 ? -errno : 0;
	NEXT(close)(again);
	return ret;
}

static int fill_memfd(struct vfio_object *o, int fd, int flags)
{
	int ret = o->kind == VFIO_DEVICE ? core_write_table(o->mount, fd) : 0;

	if (ret)
		return ret;
	o->inode = shim_memfd_inode(fd);
	ret = side_keep(fd, &o->keep);
	return ret ? ret : reopen(fd, flags);
}

int vfio_object_fd(struct vfio_object *o, int flags)
{
	int fd = shim_mount_new_memfd(o->mount);
	int ret = fd < 0 ? fd : fill_memfd(o, fd, flags);

	o->open = !ret;
	if (!ret)
		return fd;
	release(o);
	if (fd >= 0)
		NEXT(close)(fd);
	return ret;
}

static int new_container(struct shim_mount *m, int flags)
{
	struct vfio_object *o = vfio_object_new(VFIO_CONTAINER, m);

	return o ? vfio_object_fd(o, flags) : -ENOMEM;
}

/* A group can be open once, and not while a device of it is used by its own file. */
static int new_group(struct shim_mount *m, int flags)
{
	struct vfio_object *o;

	if (vfio_is_open(VFIO_GROUP, m, NULL) || vfio_next_of_group(m, NULL))
		return -EBUSY;
	o = vfio_object_new(VFIO_GROUP, m);
	return o ? vfio_object_fd(o, flags) : -ENOMEM;
}

static int new_iommufd(struct shim_mount *m, int flags)
{
	struct vfio_object *o = vfio_object_new(VFIO_IOMMUFD, m);

	if (!o)
		return -ENOMEM;
	o->iommufd = iommufd_new();
	if (o->iommufd)
		return vfio_object_fd(o, flags);
	o->kind = VFIO_FREE;
	return -ENOMEM;
}

static int new_device(struct shim_mount *m, int flags)
{
	struct vfio_object *o;
	int ret = core_lock(m);

	if (ret)
		return ret;
	o = vfio_object_new(VFIO_DEVICE, m);
	ret = o ? vfio_object_fd(o, flags) : -ENOMEM;
	core_unlock(m);
	return ret;
}

int vfio_open(struct shim_mount *m, int flags)
{
	int ret;

	shim_mutex_lock(&lock);
	vfio_sweep();
	if (m->node == SHIM_CONTAINER)
		ret = new_container(m, flags);
	else if (m->node == SHIM_GROUP)
		ret = new_group(m, flags);
	else if (m->node == SHIM_IOMMUFD)
		ret = new_iommufd(m, flags);
	else
		ret = new_device(m, flags);
	shim_mutex_unlock(&lock);
	return ret;
}

/* ---- using ---- */

int vfio_ioctl(uint64_t inode, uint32_t request, void *arg)
{
	static int (*const handlers[])(struct vfio_object *, uint32_t, void *) = {
		[VFIO_CONTAINER] = container_ioctl,
		[VFIO_GROUP] = group_ioctl,
		[VFIO_IOMMUFD] = iommufd_ioctl,
		[VFIO_DEVICE] = cdev_ioctl,
	};
	struct vfio_object *o;
	int ret = -ENODEV;

	shim_mutex_lock(&lock);
	o = find(inode);
	called = o;
	if (o)
		ret = handlers[o->kind](o, request, arg);
	called = NULL;
	shim_mutex_unlock(&lock);
	return ret;
}

int vfio_access(uint64_t inode)
{
	const struct vfio_object *o;
	int ret = -EINVAL;

	shim_mutex_lock(&lock);
	o = find(inode);
	if (o && o->kind == VFIO_DEVICE && o->bound)
		ret = 0;
	shim_mutex_unlock(&lock);
	return ret;
}

/* ---- forking ---- */

void vfio_fork_prepare(void)
{
	shim_mutex_lock(&lock);
}

void vfio_fork_parent(void)
{
	shim_mutex_unlock(&lock);
}

void vfio_fork_child(void)
{
	inherited = true;
	shim_mutex_unlock(&lock);
}

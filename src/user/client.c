/* SPDX-License-Identifier: MIT */
/*
 * A device in another process.
 *
 * Theory of operation: the server answers what the kernel's device fd answers, with the same
 * structs, so src/ioctl/ makes the description of it; it is given an fd whose requests become
 * messages and on which every region lies where the file layout has it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <devfd/provider.h>
#include <devfd/view.h>

#include "abi/vfio.h"
#include "device/device.h"
#include "user/client.h"
#include "user/link.h"
#include "user/listen.h"
#include "user/patience.h"

#define WINDOW (UINT64_C(1) << DFD_REGION_SHIFT)
/* What we have room for of an answer with capabilities, and take of a feature. */
#define MAX_ANSWER  (UINT32_C(64) << 10)
#define MAX_FEATURE 4096u

/** struct backing - the file behind a region; @fd -1: none */
struct backing {
	int fd;
	uint64_t offset;
};

struct user_device {
	struct link link;
	struct backing backings[DFD_MAX_REGION_INDEX + 1];
};

/* ---- registers ---- */

static ssize_t read_piece(struct link *l, const struct user_access *a, uint8_t *buf)
{
	const struct call call = { .command = USER_REGION_READ,
				   .fixed = a,
				   .fixed_len = sizeof(*a) };
	struct user_access got;
	struct message m;
	ssize_t ret = link_call(l, &call, &m);

	if (ret)
		return ret;
	ret = -EPROTO;
	if (m.len >= sizeof(got)) {
		memcpy(&got, m.body, sizeof(got));
		if (got.count <= a->count && m.len - sizeof(got) == got.count) {
			memcpy(buf, m.body + sizeof(got), got.count);
			ret = (ssize_t)got.count;
		}
	}
	message_done(&m);
	return ret;
}

static ssize_t write_piece(struct link *l, const struct user_access *a, const uint8_t *buf)
{
	const struct call call = { .command = USER_REGION_WRITE,
				   .fixed = a,
				   .fixed_len = sizeof(*a),
				   .data = buf,
				   .len = a->count };
	ssize_t ret = link_call(l, &call, NULL);

	return ret ? ret : (ssize_t)a->count;
}

static ssize_t access_piece(struct link *l, const struct user_access *a, uint8_t *in,
			    const uint8_t *out)
{
	int ret;

	if (!link_has_ring(l, a->count))
		return in ? read_piece(l, a, in) : write_piece(l, a, out);
	ret = link_access(l, a, in, out);
	return ret ? ret : (ssize_t)a->count;
}

/* One of @in and @out is NULL. */
static ssize_t access_region(struct link *l, uint32_t index, uint64_t offset, uint8_t *in,
			     const uint8_t *out, size_t len)
{
	size_t moved = 0;

	while (moved < len) {
		size_t left = len - moved;
		const struct user_access a = { offset + moved, index,
					       left < l->peer.max_data ? (uint32_t)left
								       : l->peer.max_data };
		ssize_t n = access_piece(l, &a, in ? in + moved : NULL, out ? out + moved : NULL);

		if (n < 0)
			return moved ? (ssize_t)moved : n;
		moved += (size_t)n;
		if ((size_t)n < a.count)
			break;
	}
	return (ssize_t)moved;
}

static struct link *link_of(struct dfd_device *dev)
{
	return &((struct user_device *)dfd_device_priv(dev))->link;
}

static ssize_t region_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	return access_region(link_of(dev), index, offset, buf, NULL, len);
}

static ssize_t region_write(struct dfd_device *dev, uint32_t index, uint64_t offset,
			    const void *buf, size_t len)
{
	return access_region(link_of(dev), index, offset, NULL, buf, len);
}

/* The file must hold what is announced, or touching the map would be a SIGBUS. */
static int region_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	const struct user_device *u = dfd_device_priv(dev);
	const struct dfd_region *r = dfd_desc_region(dfd_device_desc(dev), index);
	const struct backing *b = &u->backings[index];
	uint64_t end = r->size;
	struct stat st;

	if (u->link.failed)
		return u->link.failed;
	if (b->fd < 0)
		return -EOPNOTSUPP;
	if (r->num_areas)
		end = r->areas[r->num_areas - 1].offset + r->areas[r->num_areas - 1].size;
	if (fstat(b->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || b->offset > (uint64_t)st.st_size ||
	    end > (uint64_t)st.st_size - b->offset)
		return -EIO;
	*fd = b->fd;
	*offset = b->offset;
	return 0;
}

/* ---- interrupts ---- */

/* Of @left eventfds, those that can go in one message: all there or all absent. */
static uint32_t run_length(const int32_t *fds, uint32_t left, uint32_t max)
{
	uint32_t n = 1;

	while (n < left && (fds[n] < 0) == (fds[0] < 0) && (fds[0] < 0 || n < max))
		n++;
	return n;
}

static int set_some(struct link *l, const struct dfd_irq_set *set, uint32_t first, uint32_t count)
{
	uint32_t bools = set->flags & DFD_IRQ_DATA_BOOL ? count : 0;
	struct vfio_irq_set fixed = { .argsz = (uint32_t)sizeof(fixed) + bools,
				      .flags = set->flags,
				      .index = set->index,
				      .start = set->start + first,
				      .count = count };
	bool with_fds = (set->flags & DFD_IRQ_DATA_EVENTFD) && set->fds[first] >= 0;
	const struct call call = { .command = USER_SET_IRQS,
				   .fixed = &fixed,
				   .fixed_len = sizeof(fixed),
				   .data = set->bools,
				   .len = bools,
				   .fds = with_fds ? set->fds + first : NULL,
				   .num_fds = with_fds ? count : 0 };

	return link_call(l, &call, NULL);
}

static int set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	struct link *l = link_of(dev);
	uint32_t max = l->peer.max_fds ? l->peer.max_fds : 1;
	int ret = 0;

	if (!(set->flags & DFD_IRQ_DATA_EVENTFD))
		return set_some(l, set, 0, set->count);
	for (uint32_t i = 0, n; i < set->count && !ret; i += n) {
		n = run_length(set->fds + i, set->count - i, max);
		ret = set_some(l, set, i, n);
	}
	return ret;
}

/* ---- the rest ---- */

static int dma_map(struct dfd_device *dev, struct dfd_dma_map *map)
{
	return link_map(link_of(dev), map);
}

static int dma_unmap(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	return link_unmap(link_of(dev), iova, size, unmapped);
}

static int reset(struct dfd_device *dev)
{
	const struct call call = { .command = USER_RESET };
	struct link *l = link_of(dev);
	int ret;

	link_asked_cancel(l, 0, UINT64_MAX);
	ret = link_call(l, &call, NULL);
	link_asked_cancel(l, 0, UINT64_MAX); /* what the server has asked until then */
	return ret;
}

/* By the specification a request for data brings none. */
static int feature(struct dfd_device *dev, uint32_t flags, void *data, size_t len)
{
	const struct vfio_device_feature head = { .argsz = (uint32_t)(sizeof(head) + len),
						  .flags = flags };
	const struct call call = { .command = USER_FEATURE,
				   .fixed = &head,
				   .fixed_len = sizeof(head),
				   .data = data,
				   .len = flags & VFIO_DEVICE_FEATURE_GET ? 0 : len };
	struct message m;
	int ret;

	if (len > MAX_FEATURE)
		return -EINVAL;
	/* An address or an fd of ours means nothing to the server. */
	if (len && !device_feature_is_plain(flags))
		return -ENOTTY;
	ret = link_call(link_of(dev), &call, &m);
	if (ret)
		return ret;
	if (len && (flags & VFIO_DEVICE_FEATURE_GET) && m.len > sizeof(head))
		memcpy(data, m.body + sizeof(head),
		       m.len - sizeof(head) < len ? m.len - sizeof(head) : len);
	message_done(&m);
	return 0;
}

static int service(struct dfd_device *dev)
{
	return link_service(link_of(dev));
}

static int poll_fd(struct dfd_device *dev)
{
	return link_poll_fd(link_of(dev));
}

static void user_free(struct user_device *u)
{
	for (size_t i = 0; i <= DFD_MAX_REGION_INDEX; i++) {
		if (u->backings[i].fd >= 0)
			close(u->backings[i].fd);
	}
	link_finish(&u->link);
	free(u);
}

static void user_close(struct dfd_device *dev)
{
	user_free(dfd_device_priv(dev));
}

static const struct dfd_device_ops user_ops = {
	.size = sizeof(user_ops),
	.name = "user",
	.region_read = region_read,
	.region_write = region_write,
	.region_map = region_map,
	.set_irqs = set_irqs,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.reset = reset,
	.feature = feature,
	.service = service,
	.poll_fd = poll_fd,
	.close = user_close,
};

/* ---- describing ---- */

static ssize_t fd_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	struct user_device *u = ctx;
	uint64_t index = (offset >> DFD_REGION_SHIFT) - 1;

	if (index > DFD_MAX_REGION_INDEX)
		return -EINVAL;
	return access_region(&u->link, (uint32_t)index, offset % WINDOW, buf, NULL, len);
}

/*
 * The whole answer is asked for at once. Where the caller has less room it learns how much is
 * needed, as from the kernel. @fixed_len: of the struct without capabilities
 */
static int ask(struct user_device *u, uint16_t command, void *arg, size_t fixed_len,
	       struct message *m)
{
	uint8_t fixed[sizeof(struct vfio_region_info)];
	const uint32_t argsz = MAX_ANSWER;
	const struct call call = { .command = command, .fixed = fixed, .fixed_len = fixed_len };
	int ret;

	memcpy(fixed, arg, fixed_len);
	memcpy(fixed, &argsz, sizeof(argsz));
	ret = link_call(&u->link, &call, m);
	if (ret)
		return ret;
	if (m->len >= fixed_len && m->len <= MAX_ANSWER)
		return 0;
	message_done(m);
	return -EPROTO;
}

/* argsz, which every struct starts with, becomes the size of the answer. */
static void hand_over(const struct message *m, void *arg, size_t fixed_len)
{
	uint32_t room, need = m->len;

	memcpy(&room, arg, sizeof(room));
	memcpy(arg, m->body, need <= room ? need : fixed_len);
	memcpy(arg, &need, sizeof(need));
}

static int ask_info(struct user_device *u, void *arg)
{
	const size_t minsz = offsetof(struct vfio_device_info, cap_offset);
	struct vfio_device_info *info = arg;
	struct message m;
	int ret = ask(u, USER_GET_INFO, arg, minsz, &m);

	if (ret)
		return ret;
	info->cap_offset = 0;
	hand_over(&m, arg, minsz);
	message_done(&m);
	return 0;
}

static void keep_backing(struct user_device *u, uint32_t index, uint64_t offset, struct message *m)
{
	struct backing *b = &u->backings[index];

	if (!m->num_fds || b->fd >= 0)
		return;
	*b = (struct backing){ m->fds[0], offset };
	m->fds[0] = -1;
}

static int ask_region(struct user_device *u, void *arg)
{
	struct vfio_region_info info;
	struct message m;
	uint32_t index;
	int ret;

	memcpy(&info, arg, sizeof(info));
	index = info.index;
	ret = index > DFD_MAX_REGION_INDEX ? -EINVAL
					   : ask(u, USER_REGION_INFO, arg, sizeof(info), &m);
	if (ret)
		return ret;
	hand_over(&m, arg, sizeof(info));
	memcpy(&info, arg, sizeof(info));
	if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
		keep_backing(u, index, info.offset, &m);
	info.offset = (index + UINT64_C(1)) * WINDOW;
	memcpy(arg, &info, sizeof(info));
	message_done(&m);
	return 0;
}

static int ask_irq(struct user_device *u, void *arg)
{
	struct message m;
	int ret = ask(u, USER_IRQ_INFO, arg, sizeof(struct vfio_irq_info), &m);

	if (ret)
		return ret;
	memcpy(arg, m.body, sizeof(struct vfio_irq_info));
	message_done(&m);
	return 0;
}

static int fd_ioctl(void *ctx, unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return ask_info(ctx, arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return ask_region(ctx, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return ask_irq(ctx, arg);
	default:
		return -ENOTTY;
	}
}

static const struct dfd_fd_ops as_fd = { fd_pread, fd_ioctl };

/* ---- opening ---- */

/* The ring is ours to ask for and the server's to give, with two fds. */
static int join_ring(struct link *l, uint32_t unwanted, struct message *m)
{
	if ((unwanted & VERSION_RING) || l->peer.ring != RING_LAYOUT || m->num_fds != 2)
		return -EPROTO;
	return ring_join(&l->ring, m->fds);
}

/* And so is the second socket, for those who have no ring. */
static int join_twin(struct link *l, uint32_t unwanted, struct message *m)
{
	int type, domain;
	socklen_t len = sizeof(int);
	int *fd;

	if ((unwanted & VERSION_TWIN) || l->peer.ring || l->peer.twin_fd >= m->num_fds)
		return -EPROTO;
	fd = &m->fds[l->peer.twin_fd];
	if (getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM ||
	    getsockopt(*fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_UNIX)
		return -EPROTO;
	link_add_twin(l, *fd);
	*fd = -1;
	return 0;
}

/* @unwanted: keys that the server is not asked for */
static int agree(struct link *l, uint32_t unwanted)
{
	struct user_version version = { 0 };
	char text[VERSION_MAX_TEXT];
	const struct call call = { .command = USER_VERSION,
				   .fixed = &version,
				   .fixed_len = sizeof(version),
				   .data = text,
				   .len = version_request(text, unwanted) };
	struct message m;
	uint32_t keys;
	int ret = link_call(l, &call, &m);

	if (ret)
		return ret;
	ret = version_parse(m.body, m.len, &version, &l->peer, &keys);
	if (!ret && version.major)
		ret = -EPROTO;
	if (!ret && l->peer.ring)
		ret = join_ring(l, unwanted, &m);
	if (!ret && l->peer.twin)
		ret = join_twin(l, unwanted, &m);
	message_done(&m);
	return ret;
}

/* Where there is no such socket, is what stands behind the comma meant to be an option? */
static const char *unknown_option(const char *path)
{
	const char *comma = strrchr(path, ',');

	return comma && !strchr(comma, '/') && access(path, F_OK) ? comma + 1 : NULL;
}

static int explain(const char *path, int ret, struct dfd_error *err)
{
	const char *option = ret == -ENOENT || ret == -ENAMETOOLONG ? unknown_option(path) : NULL;

	if (option)
		return dfd_error_set(
			err, -EINVAL,
			"user:%.*s: has no option \"%s\"; it has: ring=off, twin=off, poll",
			(int)(option - path) - 1, path, option);
	switch (ret) {
	case -ENOENT:
	case -ECONNREFUSED:
		return dfd_error_set(
			err, ret, "user:%s: nobody serves a device there; see devfd serve", path);
	case -EBUSY:
	case -EAGAIN:
		return dfd_error_set(err, -EBUSY, "user:%s: another client has the device", path);
	case -EPROTO:
	case -EINVAL:
		return dfd_error_set(err, -EPROTO,
				     "user:%s: who listens there does not speak vfio-user", path);
	default:
		return dfd_error_set(err, ret, "user:%s: %s", path, strerror(-ret));
	}
}

static int describe(struct user_device *u, const char *path, uint32_t unwanted,
		    const struct dfd_desc **out, struct dfd_error *err)
{
	struct dfd_error why;
	struct dfd_view view;
	int ret = agree(&u->link, unwanted);

	if (ret)
		return explain(path, ret, err);
	ret = dfd_view_get(DFD_VIEW_VFIO, &as_fd, u, &view, &why);
	if (ret)
		return dfd_error_set(err, ret, "user:%s: %s", path, why.text);
	*out = view.desc;
	return 0;
}

/** struct options - what stands behind the path */
struct options {
	bool no_ring, no_twin, polls;
};

/* Take an option off the end. Return: whether it was there */
static bool take_option(char *address, const char *option)
{
	size_t len = strlen(address), tail = strlen(option);

	if (len <= tail || strcmp(address + len - tail, option) != 0)
		return false;
	address[len - tail] = '\0';
	return true;
}

static struct options take_options(char *address)
{
	struct options o = { 0 };

	for (bool more = true; more;) {
		bool no_ring = take_option(address, ",ring=off");
		bool no_twin = take_option(address, ",twin=off");
		bool polls = take_option(address, ",poll");

		o.no_ring |= no_ring;
		o.no_twin |= no_twin;
		o.polls |= polls;
		more = no_ring || no_twin || polls;
	}
	return o;
}

/* Who looks for an answer looks at one socket. */
static uint32_t unwanted(struct options o)
{
	return (o.no_ring ? VERSION_RING : 0) | (o.no_twin || o.polls ? VERSION_TWIN : 0);
}

static int open_socket(int fd, const char *path, struct options options, int patience_ms,
		       struct dfd_device **out, struct dfd_error *err)
{
	struct user_device *u = malloc(sizeof(*u));
	const struct dfd_desc *desc;
	int ret;

	if (!u) {
		close(fd);
		return explain(path, -ENOMEM, err);
	}
	for (size_t i = 0; i <= DFD_MAX_REGION_INDEX; i++)
		u->backings[i].fd = -1;
	link_start(&u->link, fd, patience_ms);
	u->link.polls = options.polls;
	ret = describe(u, path, unwanted(options), &desc, err);
	if (!ret) {
		ret = dfd_device_new(desc, &user_ops, u, true, out);
		dfd_desc_unref(desc);
		if (ret)
			explain(path, ret, err);
		else
			dma_requests_attach(&u->link.requests, *out);
	}
	if (ret)
		user_free(u);
	return ret;
}

int dfd_user_open_within(const char *address, int patience_ms, struct dfd_device **out,
			 struct dfd_error *err)
{
	char *path = strdup(address);
	struct options options;
	int ret, fd;

	if (!path)
		return explain(address, -ENOMEM, err);
	options = take_options(path);
	fd = user_connect(path);
	ret = fd < 0 ? explain(path, fd, err)
		     : open_socket(fd, path, options, patience_ms, out, err);
	free(path);
	return ret;
}

int dfd_user_open_socket(int fd, const char *path, int patience_ms, struct dfd_device **out,
			 struct dfd_error *err)
{
	return open_socket(fd, path, (struct options){ 0 }, patience_ms, out, err);
}

int dfd_user_open(const char *address, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_user_open_within(address, USER_PATIENCE_MS, out, err);
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: each command has a handler, which checks the payload, asks the device and
 * makes room for its answer in the queue of the connection. Nothing is waited for.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <devfd/file.h>

#include "abi/vfio.h"
#include "device/device.h"
#include "user/session_commands.h"

/* No chain of capabilities that a client asks for may be longer. */
#define MAX_INFO (UINT32_C(512) << 10)

static int reply_room(struct session *s, struct reply *r, size_t len)
{
	uint8_t *at = conn_reserve(&s->conn, sizeof(struct user_header) + len);

	if (!at)
		return -ENOMEM;
	r->body = at + sizeof(struct user_header);
	r->len = len;
	return 0;
}

static int reply_put(struct session *s, struct reply *r, const void *data, size_t len)
{
	int ret = reply_room(s, r, len);

	if (!ret)
		memcpy(r->body, data, len);
	return ret;
}

/* The fixed part of a payload; what follows it is the handler's business. */
static int get_fixed(const struct message *m, void *to, size_t len)
{
	if (m->len < len)
		return -EINVAL;
	memcpy(to, m->body, len);
	return 0;
}

/* ---- description ---- */

/* One client says 32, reads 16 and hangs on more: capabilities are for who has room for them. */
static int do_info(struct session *s, struct message *m, struct reply *r)
{
	const uint32_t minsz = offsetof(struct vfio_device_info, cap_offset), whole = 32;
	struct vfio_device_info info = { 0 };
	uint32_t room, need;
	int ret = get_fixed(m, &info, minsz);

	if (ret || info.argsz < minsz)
		return -EINVAL;
	room = info.argsz;
	info.argsz = sizeof(info);
	ret = dfd_ioctl(s->target->told, VFIO_DEVICE_GET_INFO, &info);
	if (ret < 0)
		return ret;
	need = info.argsz;
	if (room <= whole || need > room || need > MAX_INFO) {
		info.argsz = minsz;
		info.flags &= ~VFIO_DEVICE_FLAGS_CAPS;
		return reply_put(s, r, &info, minsz);
	}
	ret = reply_room(s, r, need);
	if (ret)
		return ret;
	memcpy(r->body, &info, sizeof(info));
	return need > sizeof(info) ? dfd_ioctl(s->target->told, VFIO_DEVICE_GET_INFO, r->body) : 0;
}

/* Fds go with mappable regions, and only with a whole answer. */
static int add_backing(struct session *s, struct vfio_region_info *info, struct reply *r)
{
	uint64_t offset;
	int ret = dfd_region_backing(s->target->dev, info->index, &r->fds[0], &offset);

	if (ret)
		return ret;
	r->num_fds = 1;
	info->offset = offset;
	return 0;
}

static int do_region_info(struct session *s, struct message *m, struct reply *r)
{
	struct vfio_region_info info;
	uint32_t room, need;
	int ret = get_fixed(m, &info, sizeof(info));

	if (ret)
		return ret;
	room = info.argsz;
	if (room > sizeof(info))
		info.argsz = sizeof(info);
	ret = dfd_ioctl(s->target->told, VFIO_DEVICE_GET_REGION_INFO, &info);
	if (ret < 0)
		return ret;
	need = info.argsz;
	info.offset = 0;
	if (need > room || need > MAX_INFO) {
		info.flags &= ~VFIO_REGION_INFO_FLAG_CAPS;
		return reply_put(s, r, &info, sizeof(info));
	}
	ret = reply_room(s, r, need);
	if (ret)
		return ret;
	memcpy(r->body, &info, sizeof(info));
	if (need > sizeof(info))
		ret = dfd_ioctl(s->target->told, VFIO_DEVICE_GET_REGION_INFO, r->body);
	if (ret < 0)
		return ret;
	memcpy(&info, r->body, sizeof(info));
	info.offset = 0;
	if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
		ret = add_backing(s, &info, r);
	memcpy(r->body, &info, sizeof(info));
	return ret;
}

static int do_irq_info(struct session *s, struct message *m, struct reply *r)
{
	struct vfio_irq_info info;
	int ret = get_fixed(m, &info, sizeof(info));

	if (ret)
		return ret;
	ret = dfd_ioctl(s->target->told, VFIO_DEVICE_GET_IRQ_INFO, &info);
	if (ret < 0)
		return ret;
	info.argsz = sizeof(info);
	return reply_put(s, r, &info, sizeof(info));
}

/* Fds go only with a whole answer. */
static int do_io_fds(struct session *s, struct message *m, struct reply *r)
{
	struct user_io_fd list[MAX_BELLS];
	struct user_io_fds io;
	size_t bytes;
	uint32_t room;
	int ret = get_fixed(m, &io, sizeof(io)), count;

	if (ret)
		return ret;
	if (io.argsz < sizeof(io) || io.flags || io.count ||
	    !dfd_desc_region(dfd_device_desc(s->target->dev), io.index))
		return -EINVAL;
	count = session_bells_list(s, io.index, list, r->fds);
	if (count < 0)
		return count;
	room = io.argsz;
	bytes = (size_t)count * sizeof(*list);
	io.argsz = (uint32_t)(sizeof(io) + bytes);
	io.count = (uint32_t)count;
	if (room < io.argsz)
		return reply_put(s, r, &io, sizeof(io));
	ret = reply_room(s, r, io.argsz);
	if (ret)
		return ret;
	memcpy(r->body, &io, sizeof(io));
	memcpy(r->body + sizeof(io), list, bytes);
	r->num_fds = io.count;
	return 0;
}

/* ---- memory ---- */

static int do_dma_map(struct session *s, struct message *m, struct reply *r)
{
	struct user_dma_map map;
	int ret = get_fixed(m, &map, sizeof(map));

	(void)r;
	if (ret || map.argsz < sizeof(map))
		return -EINVAL;
	return session_dma_map(s, &map, m->num_fds ? m->fds[0] : -1);
}

static int do_dma_unmap(struct session *s, struct message *m, struct reply *r)
{
	struct user_dma_unmap unmap;
	int ret = get_fixed(m, &unmap, sizeof(unmap));

	if (ret || unmap.argsz < sizeof(unmap))
		return -EINVAL;
	ret = session_dma_unmap(s, &unmap);
	return ret ? ret : reply_put(s, r, &unmap, sizeof(unmap));
}

/* ---- interrupts ---- */

static int do_set_irqs(struct session *s, struct message *m, struct reply *r)
{
	int32_t fds[DFD_MAX_IRQ_COUNT];
	struct vfio_irq_set set;
	size_t fixed = sizeof(set);
	int ret = get_fixed(m, &set, fixed);

	(void)r;
	if (ret || set.argsz < fixed || set.count > DFD_MAX_IRQ_COUNT)
		return -EINVAL;
	if ((set.flags & VFIO_IRQ_SET_DATA_BOOL) && m->len - fixed != set.count)
		return -EINVAL;
	if (m->num_fds && (!(set.flags & VFIO_IRQ_SET_DATA_EVENTFD) || m->num_fds != set.count))
		return -EINVAL;
	/* Without fds these vectors get none. */
	for (uint32_t i = 0; (set.flags & VFIO_IRQ_SET_DATA_EVENTFD) && i < set.count; i++)
		fds[i] = m->num_fds ? m->fds[i] : -1;
	ret = dfd_set_irqs(s->target->dev, &(struct dfd_irq_set){ .flags = set.flags,
								  .index = set.index,
								  .start = set.start,
								  .count = set.count,
								  .fds = fds,
								  .bools = m->body + fixed });
	return ret > 0 ? -ENOSPC : ret;
}

/* ---- registers ---- */

/* Accesses are whole or not at all. */
static int check_access(const struct session *s, const struct user_access *a)
{
	const struct dfd_region *r = dfd_desc_region(dfd_device_desc(s->target->dev), a->region);

	if (!r || a->count > USER_MAX_DATA || a->offset > r->size || a->count > r->size - a->offset)
		return -EINVAL;
	return 0;
}

static int whole(ssize_t moved, uint32_t count)
{
	if (moved < 0)
		return (int)moved;
	return (size_t)moved == count ? 0 : -EIO;
}

static int read_checked(struct session *s, const struct user_access *a, uint8_t *data)
{
	if (!a->count)
		return 0;
	return whole(dfd_region_read(s->target->dev, a->region, a->offset, data, a->count),
		     a->count);
}

int session_read(struct session *s, const struct user_access *a, uint8_t *data)
{
	int ret = check_access(s, a);

	return ret ? ret : read_checked(s, a, data);
}

static int do_read(struct session *s, struct message *m, struct reply *r)
{
	struct user_access a;
	int ret = get_fixed(m, &a, sizeof(a));

	if (!ret)
		ret = check_access(s, &a);
	if (!ret)
		ret = reply_room(s, r, sizeof(a) + a.count);
	if (ret)
		return ret;
	memcpy(r->body, &a, sizeof(a));
	return read_checked(s, &a, r->body + sizeof(a));
}

int session_write(struct session *s, const struct user_access *a, const uint8_t *data)
{
	int ret = check_access(s, a);

	if (ret || !a->count)
		return ret;
	return whole(dfd_region_write(s->target->dev, a->region, a->offset, data, a->count),
		     a->count);
}

static int do_write(struct session *s, struct message *m, struct reply *r)
{
	struct user_access a;
	int ret = get_fixed(m, &a, sizeof(a));

	if (ret || m->len - sizeof(a) != a.count)
		return -EINVAL;
	ret = session_write(s, &a, m->body + sizeof(a));
	return ret ? ret : reply_put(s, r, &a, sizeof(a));
}

/* In order, up to the first that fails; the answer says how many were done. */
static int do_write_multi(struct session *s, struct message *m, struct reply *r)
{
	uint64_t count, done = 0;
	int ret = get_fixed(m, &count, sizeof(count));

	if (ret || count > (m->len - sizeof(count)) / sizeof(struct user_write) ||
	    sizeof(count) + count * sizeof(struct user_write) != m->len)
		return -EINVAL;
	for (; done < count; done++) {
		struct user_write w;

		memcpy(&w, m->body + sizeof(count) + done * sizeof(w), sizeof(w));
		if (!w.count || w.count > sizeof(w.data))
			break;
		if (session_write(s, &(struct user_access){ w.offset, w.region, w.count }, w.data))
			break;
	}
	if (count && !done)
		return -EINVAL;
	return reply_put(s, r, &done, sizeof(done));
}

/* ---- the rest ---- */

static int do_reset(struct session *s, struct message *m, struct reply *r)
{
	(void)m;
	(void)r;
	session_bells_drop(s);
	session_dma_cancel(s, 0, UINT64_MAX);
	return dfd_device_reset(s->target->dev);
}

static int do_feature(struct session *s, struct message *m, struct reply *r)
{
	const uint32_t directions = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	struct vfio_device_feature head;
	uint8_t data[4096] = { 0 };
	size_t given = m->len - sizeof(head), len;
	int ret = get_fixed(m, &head, sizeof(head));

	if (ret || head.argsz < sizeof(head) || given > sizeof(data))
		return -EINVAL;
	if (head.flags & ~(VFIO_DEVICE_FEATURE_MASK | directions | VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;
	/* An address or an fd in there would be one of this process. */
	if (!device_feature_is_plain(head.flags))
		return -ENOTTY;
	if (head.flags & VFIO_DEVICE_FEATURE_PROBE) {
		ret = dfd_device_feature(s->target->dev, head.flags, NULL, 0);
		return ret < 0 ? ret : reply_put(s, r, m->body, m->len);
	}
	if (!(head.flags & directions) || (head.flags & directions) == directions)
		return -EINVAL;
	len = head.flags & VFIO_DEVICE_FEATURE_GET ? head.argsz - sizeof(head) : given;
	if (len > sizeof(data))
		len = sizeof(data);
	memcpy(data, m->body + sizeof(head), given < len ? given : len);
	ret = dfd_device_feature(s->target->dev, head.flags, data, len);
	if (ret < 0)
		return ret;
	if (head.flags & VFIO_DEVICE_FEATURE_SET)
		return reply_put(s, r, m->body, m->len);
	head.argsz = (uint32_t)(sizeof(head) + len);
	ret = reply_room(s, r, sizeof(head) + len);
	if (ret)
		return ret;
	memcpy(r->body, &head, sizeof(head));
	memcpy(r->body + sizeof(head), data, len);
	return 0;
}

/* For a client of ours, which can take its two fds. */
static void offer_ring(struct session *s, struct reply *r, uint32_t *keys)
{
	bool wanted = s->peer.ring == RING_LAYOUT && s->peer.max_fds >= 2;

	if (!wanted || ring_create(&s->ring)) {
		*keys &= ~VERSION_RING;
		return;
	}
	r->fds[0] = s->ring.fd;
	r->fds[1] = s->ring.far_bell;
	r->num_fds = 2;
}

/* For any client that wants it and can take its fd. Who has a ring has one stream for its order. */
static void offer_twin(struct session *s, struct reply *r, uint32_t *keys)
{
	int pair[2];

	if (s->ring.shared || !s->peer.twin || !s->peer.max_fds ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		*keys &= ~VERSION_TWIN;
		return;
	}
	conn_init(&s->twin, pair[0]);
	s->twin.max_message = USER_MAX_MESSAGE;
	r->fds[0] = r->given = pair[1];
	r->num_fds = 1;
}

static int do_version(struct session *s, struct message *m, struct reply *r)
{
	struct user_version version;
	char text[VERSION_MAX_TEXT];
	uint32_t keys;
	size_t len;
	int ret;

	if (s->agreed)
		return -EINVAL;
	ret = version_parse(m->body, m->len, &version, &s->peer, &keys);
	if (ret || version.major)
		return -EINVAL;
	version.minor = 0;
	offer_ring(s, r, &keys);
	offer_twin(s, r, &keys);
	len = version_answer(&keys, m->len - sizeof(version), text);
	if (s->ring.shared && !(keys & VERSION_RING)) { /* there was no room to say so */
		ring_finish(&s->ring);
		r->num_fds = 0;
	}
	if (session_has_twin(s) && !(keys & VERSION_TWIN)) {
		conn_finish(&s->twin);
		r->num_fds = 0;
	}
	ret = reply_room(s, r, sizeof(version) + len);
	if (ret)
		return ret;
	memcpy(r->body, &version, sizeof(version));
	memcpy(r->body + sizeof(version), text, len);
	s->agreed = true;
	s->conn.max_message = USER_MAX_MESSAGE;
	return 0;
}

/* ---- all of them ---- */

static int (*const handlers[USER_NUM_COMMANDS])(struct session *s, struct message *m,
						struct reply *r) = {
	[USER_VERSION] = do_version,
	[USER_DMA_MAP] = do_dma_map,
	[USER_DMA_UNMAP] = do_dma_unmap,
	[USER_GET_INFO] = do_info,
	[USER_REGION_INFO] = do_region_info,
	[USER_REGION_IO_FDS] = do_io_fds,
	[USER_IRQ_INFO] = do_irq_info,
	[USER_SET_IRQS] = do_set_irqs,
	[USER_REGION_READ] = do_read,
	[USER_REGION_WRITE] = do_write,
	[USER_RESET] = do_reset,
	[USER_WRITE_MULTI] = do_write_multi,
	[USER_FEATURE] = do_feature,
};

bool session_knows(uint16_t command)
{
	return command < USER_NUM_COMMANDS && handlers[command];
}

int session_command(struct session *s, struct message *m, struct reply *r)
{
	return handlers[m->head.command](s, m, r);
}

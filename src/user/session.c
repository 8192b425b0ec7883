/* SPDX-License-Identifier: MIT */
/*
 * Requests of one client, and their answers.
 *
 * Theory of operation: each command has a handler, which checks the payload, asks the device and
 * makes room for its answer in the queue of the connection. An error is answered by a header
 * alone. Nothing is waited for. What the device asks of the client meanwhile (DMA by message) goes
 * out behind the answer; or by a socket of its own, if the client wants one, and then each socket
 * carries the calls of one end and their answers, and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <devfd/file.h>

#include "abi/vfio.h"
#include "device/device.h"
#include "user/session.h"

/* Requests taken in one go, so that a flood does not keep others waiting. */
#define BATCH 64
/* Unknown requests in a row after which a client is none. */
#define MAX_REFUSED 64
/* No chain of capabilities that a client asks for may be longer. */
#define MAX_INFO (UINT32_C(512) << 10)

/**
 * struct reply - an answer that is being made
 * @body: room for @len bytes in the queue, NULL before reply_room()
 * @fds: go with it; stay their owners'
 * @given: one of them that is not kept, or -1
 */
struct reply {
	uint8_t *body;
	size_t len;
	int fds[USER_MAX_FDS];
	unsigned int num_fds;
	int given;
};

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

/* ---- dispatch ---- */

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

static int answer(struct session *s, const struct user_header *call, const struct reply *r, int ret)
{
	struct user_header head = { .id = call->id,
				    .command = call->command,
				    .flags = USER_TYPE_REPLY,
				    .size = sizeof(head) };

	if (ret) {
		head.flags |= USER_ERROR;
		head.error = ret > -4096 ? (uint32_t)-ret : EIO;
		return conn_put(&s->conn, head, NULL, 0, NULL, 0, NULL, 0);
	}
	if (!r->body)
		return conn_put(&s->conn, head, NULL, 0, NULL, 0, NULL, 0);
	head.size += (uint32_t)r->len;
	memcpy(r->body - sizeof(head), &head, sizeof(head));
	if (r->num_fds)
		ret = conn_attach(&s->conn, r->fds, r->num_fds);
	conn_commit(&s->conn, head.size);
	return ret;
}

/* What the device asked for while the answer was made. */
int session_release(struct session *s)
{
	size_t len = s->later.end - s->later.start;
	uint8_t *at;

	if (!len)
		return 0;
	at = conn_reserve(&s->conn, len);
	if (!at)
		return -ENOMEM;
	memcpy(at, s->later.data + s->later.start, len);
	conn_commit(&s->conn, len);
	s->later.start = s->later.end = 0;
	return 0;
}

void session_refused(struct session *s, uint32_t command, int error)
{
	char text[128];

	if (!s->log)
		return;
	snprintf(text, sizeof(text), "command %u is refused: %s", command, strerror(-error));
	s->log(s->log_ctx, text);
}

static int handle(struct session *s, struct message *m)
{
	struct reply r = { .given = -1 };
	bool known = m->head.command < USER_NUM_COMMANDS && handlers[m->head.command];
	bool first = !s->agreed;
	int ret, sent = 0;

	if ((m->head.flags & USER_TYPE_MASK) == USER_TYPE_REPLY)
		return session_has_twin(s) ? -EPROTO : session_dma_answer(s, m);
	s->in_request = true;
	if (first && m->head.command != USER_VERSION)
		ret = -EINVAL;
	else
		ret = known ? handlers[m->head.command](s, m, &r) : -ENOSYS;
	s->in_request = false;
	if (ret)
		session_refused(s, m->head.command, ret);
	if (!(m->head.flags & USER_NO_REPLY))
		sent = answer(s, &m->head, &r, ret);
	if (r.given >= 0)
		close(r.given);
	if (!sent)
		sent = session_release(s);
	s->refused = known ? 0 : s->refused + 1;
	if ((first && ret) || s->refused > MAX_REFUSED)
		return -EPROTO;
	return sent;
}

bool session_blocked(const struct session *s)
{
	return conn_queued(&s->conn) >= CONN_BACKLOG || s->conn.attach.num_fds;
}

int session_handle(struct session *s)
{
	for (int i = 0; i < BATCH; i++) {
		struct message m;
		int ret;

		/* Who does not read gets no more answers, and fds go out one message at a time. */
		if (session_blocked(s)) {
			ret = conn_flush(&s->conn);
			if (ret || session_blocked(s))
				return ret;
		}
		ret = conn_next(&s->conn, &m);
		if (!ret && conn_partial(&s->conn) && !session_has_twin(s))
			session_dma_begin_bulk(s, &s->conn);
		if (ret <= 0)
			return ret;
		ret = handle(s, &m);
		message_done(&m);
		if (ret)
			return ret;
	}
	return 1;
}

/* ---- the second socket ---- */

int session_twin(struct session *s)
{
	struct message m;
	int ret = session_has_twin(s) ? conn_receive(&s->twin) : -EAGAIN;

	if (ret <= 0)
		return ret;
	while ((ret = conn_next(&s->twin, &m)) > 0) {
		if ((m.head.flags & USER_TYPE_MASK) == USER_TYPE_REPLY)
			ret = session_dma_answer(s, &m);
		else
			ret = -EPROTO;
		message_done(&m);
		if (ret)
			return ret;
	}
	if (!ret && conn_partial(&s->twin))
		session_dma_begin_bulk(s, &s->twin);
	return ret ? ret : 1;
}

int session_flush(struct session *s)
{
	int twin = conn_queued(&s->twin) ? conn_flush(&s->twin) : 0;
	int ret = conn_queued(&s->conn) ? conn_flush(&s->conn) : 0;

	return ret ? ret : twin;
}

bool session_queued(const struct session *s)
{
	return conn_queued(&s->conn) || conn_queued(&s->twin);
}

/* ---- life ---- */

void session_start(struct session *s, const struct target *target, int fd)
{
	*s = (struct session){ .target = target, .twin = { .fd = -1 }, .ring = RING_NONE };
	conn_init(&s->conn, fd);
}

void session_trim(struct session *s)
{
	conn_trim(&s->conn);
	conn_trim(&s->twin);
	if (s->later.start == s->later.end)
		buf_finish(&s->later);
}

static void irqs_off(struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	uint32_t limit = dfd_desc_irq_limit(desc);

	for (uint32_t i = 0; i < limit; i++) {
		const struct dfd_irq_set off = { .flags =
							 DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
						 .index = i };

		if (dfd_desc_vectors(desc, i))
			dfd_set_irqs(dev, &off);
	}
}

void session_end(struct session *s)
{
	struct dfd_device *dev = s->target->dev;
	const uint16_t off = 0;

	/* Stop DMA before the memory goes; what cannot be reset loses bus mastering at least. */
	if (dfd_device_reset(dev) && dfd_desc_bus(dfd_device_desc(dev)) == DFD_BUS_PCI)
		dfd_region_write(dev, DFD_PCI_CONFIG, 4, &off, sizeof(off));
	session_dma_finish(s);
	irqs_off(dev);
	session_bells_finish(s);
	ring_finish(&s->ring);
	conn_finish(&s->twin);
	conn_finish(&s->conn);
}

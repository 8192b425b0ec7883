/* SPDX-License-Identifier: MIT */
/*
 * Info structs and their chains.
 *
 * Theory of operation: an info struct is asked for twice when it has capabilities, first to learn
 * its size, then with exactly that room, so that the last capability ends where the answer ends.
 * A chain has to go forward, as every known one does; so it ends, whatever a device says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/vfio.h"
#include "ioctl/info.h"

/* More than all capabilities that a description can have. */
#define MAX_INFO_SIZE (UINT32_C(1) << 20)

uint32_t dfd_info_get32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* Ask with the struct @head of @size bytes. */
static int ask_once(struct dfd_asker *a, unsigned long request, const void *head, uint32_t size,
		    struct dfd_info *info, uint32_t room)
{
	uint8_t *grown = realloc(info->buf, room);

	if (!grown)
		return -ENOMEM;
	info->buf = grown;
	info->len = room;
	memset(grown, 0, room);
	memcpy(grown, head, size);
	memcpy(grown, &room, sizeof(room));
	return dfd_ask(a, request, grown);
}

int dfd_ask_info(struct dfd_asker *a, unsigned long request, const void *head, uint32_t size,
		 uint32_t caps_flag, struct dfd_info *info)
{
	int ret = ask_once(a, request, head, size, info, size);
	uint32_t needed;

	if (ret < 0)
		return ret;
	needed = dfd_info_get32(info->buf);
	if (!(dfd_info_get32(info->buf + sizeof(needed)) & caps_flag) || needed <= size)
		return 0;
	if (needed > MAX_INFO_SIZE)
		return -EBADMSG;
	ret = ask_once(a, request, head, size, info, needed);
	if (ret < 0)
		return ret;
	return dfd_info_get32(info->buf) > needed ? -EBADMSG : 0;
}

int dfd_info_next_cap(const struct dfd_info *info, struct dfd_info_cap *cap)
{
	struct vfio_info_cap_header h;
	uint32_t offset = cap->next;

	if (!offset)
		return 0;
	if (offset < cap->end || offset > info->len || info->len - offset < sizeof(h))
		return -EBADMSG;
	memcpy(&h, info->buf + offset, sizeof(h));
	cap->end = h.next ? h.next : info->len;
	if (cap->end > info->len || cap->end < offset + sizeof(h))
		return -EBADMSG;
	cap->id = h.id;
	cap->version = h.version;
	cap->body = info->buf + offset + sizeof(h);
	cap->len = cap->end - offset - (uint32_t)sizeof(h);
	cap->next = h.next;
	return 1;
}

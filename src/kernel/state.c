/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/reserved.h"
#include "kernel/state.h"
#include "util/sysfs.h"

#define CLASS_PCI_BRIDGE 0x0604 /* of the upper two bytes */

const char *dfd_state_name(enum dfd_state state)
{
	static const char *const names[] = {
		[DFD_STATE_NONE] = "-",
		[DFD_STATE_OK] = "OK",
		[DFD_STATE_IDLE] = "idle",
		[DFD_STATE_HOST] = "host",
		[DFD_STATE_BRIDGE] = "bridge",
		[DFD_STATE_NO_IOMMU] = "no IOMMU",
		[DFD_STATE_NOT_VIABLE] = "NOT VIABLE",
		[DFD_STATE_BUSY] = "busy",
		[DFD_STATE_NO_ACCESS] = "no access",
		[DFD_STATE_RMRR] = "RMRR",
		[DFD_STATE_D3COLD] = "D3cold",
	};

	_Static_assert(sizeof(names) / sizeof(*names) == DFD_NUM_STATES, "one name each");
	return state < DFD_NUM_STATES ? names[state] : "?";
}

enum dfd_state state_of_member(enum driver_kind kind, int32_t class_code)
{
	switch (kind) {
	case DRIVER_VFIO:
		return DFD_STATE_OK;
	case DRIVER_FOREIGN:
		return DFD_STATE_HOST;
	case DRIVER_HARMLESS:
	case DRIVER_NONE:
		break;
	}
	return class_code >> 8 == CLASS_PCI_BRIDGE ? DFD_STATE_BRIDGE : DFD_STATE_IDLE;
}

/** struct tally - the members of a group by what they are */
struct tally {
	unsigned int count[DFD_NUM_STATES];
	struct member culprit;
};

static int count_member(void *ctx, const struct member *m)
{
	struct tally *t = ctx;
	int64_t class_code;
	enum dfd_state state;

	if (dfd_sysfs_num(m->dir, "class", &class_code))
		class_code = -1;
	state = state_of_member(m->kind, (int32_t)class_code);
	if (state == DFD_STATE_HOST && !t->count[state])
		t->culprit = *m;
	t->count[state]++;
	return 0;
}

/* May this user open the file of the group, if nobody else has it open? */
static void look_at_file(const char *root, unsigned int group, struct verdict *out)
{
	char path[PATH_MAX], owner[96];

	snprintf(path, sizeof(path), "%s/dev/vfio/%u", root, group);
	if (!faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS))
		return;
	out->state = DFD_STATE_NO_ACCESS;
	if (errno == ENOENT) {
		snprintf(out->why, sizeof(out->why), "no /dev/vfio/%u here", group);
		return;
	}
	file_owner(path, owner, sizeof(owner));
	snprintf(out->why, sizeof(out->why), "need rw on /dev/vfio/%u: %s", group, owner);
}

void state_of_group(const char *root, int devices, unsigned int group,
		    const struct holders *holders, struct verdict *out)
{
	const struct holder *h = holders_of(holders, group);
	struct tally t = { 0 };

	members_walk(devices, count_member, &t);
	out->why[0] = '\0';
	if (t.count[DFD_STATE_HOST] && t.count[DFD_STATE_OK]) {
		out->state = DFD_STATE_NOT_VIABLE;
		snprintf(out->why, sizeof(out->why), "%.64s (%.64s)", t.culprit.name,
			 t.culprit.driver);
	} else if (t.count[DFD_STATE_HOST]) {
		out->state = DFD_STATE_HOST;
	} else if (!t.count[DFD_STATE_OK]) {
		out->state = t.count[DFD_STATE_IDLE] ? DFD_STATE_IDLE : DFD_STATE_BRIDGE;
	} else if (h) {
		out->state = DFD_STATE_BUSY;
		snprintf(out->why, sizeof(out->why), "pid %d %s", h->pid, h->name);
	} else if (reserved_by_firmware(root, group, out->why, sizeof(out->why))) {
		out->state = DFD_STATE_RMRR;
	} else {
		out->state = DFD_STATE_OK;
		look_at_file(root, group, out);
	}
}

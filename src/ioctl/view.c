/* SPDX-License-Identifier: MIT */
/* Views: what the three ways of asking have in common. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <devfd/file.h>

#include "desc/fact.h"
#include "ioctl/view.h"

/* ---- device fds ---- */

static ssize_t file_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	return dfd_file_pread(ctx, buf, len, offset);
}

static int file_ioctl(void *ctx, unsigned long request, void *arg)
{
	return dfd_file_ioctl(ctx, request, arg);
}

const struct dfd_fd_ops dfd_fd_file = { file_pread, file_ioctl };

static ssize_t real_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	ssize_t ret;

	if (offset > INT64_MAX)
		return -EINVAL;
	ret = pread(*(int *)ctx, buf, len, (off_t)offset);
	return ret < 0 ? -errno : ret;
}

static int real_ioctl(void *ctx, unsigned long request, void *arg)
{
	int ret = ioctl(*(int *)ctx, request, arg);

	return ret < 0 ? -errno : ret;
}

const struct dfd_fd_ops dfd_fd_real = { real_pread, real_ioctl };

/* ---- asking ---- */

int dfd_ask(struct dfd_asker *a, unsigned long request, void *arg)
{
	a->calls++;
	return a->ops->ioctl(a->ctx, request, arg);
}

ssize_t dfd_ask_read(struct dfd_asker *a, void *buf, size_t len, uint64_t offset)
{
	a->calls++;
	return a->ops->pread(a->ctx, buf, len, offset);
}

int dfd_ask_failed(struct dfd_asker *a, int ret, const char *what, uint32_t index)
{
	return dfd_error_set(a->err, ret, "asking for %s %" PRIu32 ": %s", what, index,
			     strerror(-ret));
}

int dfd_view_build(struct dfd_asker *a, struct dfd_desc_builder *b, struct dfd_view *out)
{
	struct dfd_error err;
	int ret = dfd_desc_build(b, &out->desc, &err);

	if (!ret)
		return 0;
	return dfd_error_set(a->err, ret == -EINVAL ? -EBADMSG : ret,
			     "the answers make no device: %s", err.text);
}

/* ---- configuration space ---- */

void dfd_view_config_read(struct dfd_asker *a, uint64_t offset, uint64_t size,
			  struct dfd_view_config *config)
{
	const ssize_t len = sizeof(config->bytes);

	if (size < sizeof(config->bytes))
		return;
	/* A vendor of all ones: nobody answers. */
	config->readable = dfd_ask_read(a, config->bytes, sizeof(config->bytes), offset) == len &&
			   (config->bytes[0] & config->bytes[1]) != 0xff;
}

bool dfd_view_config_fact(const struct dfd_view_config *config, enum dfd_fact fact, uint64_t *value)
{
	const struct dfd_fact_info *info = &dfd_fact_infos[fact];

	if (!config->readable || !info->config_width ||
	    info->config_offset + info->config_width > sizeof(config->bytes))
		return false;
	*value = 0;
	for (uint32_t i = info->config_width; i-- > 0;)
		*value = *value << 8 | config->bytes[info->config_offset + i];
	return true;
}

/* ---- the views ---- */

static const struct {
	const char *name;
	int (*get)(struct dfd_asker *a, struct dfd_view *out);
} views[DFD_NUM_VIEWS] = {
	[DFD_VIEW_TABLE] = { "table", dfd_view_table },
	[DFD_VIEW_IOCTL] = { "ioctl", dfd_view_ioctl },
	[DFD_VIEW_VFIO] = { "vfio", dfd_view_vfio },
};

const char *dfd_view_name(enum dfd_view_kind kind)
{
	return kind < DFD_NUM_VIEWS ? views[kind].name : "?";
}

int dfd_view_get(enum dfd_view_kind kind, const struct dfd_fd_ops *ops, void *ctx,
		 struct dfd_view *out, struct dfd_error *err)
{
	struct dfd_asker a = { .ops = ops, .ctx = ctx, .err = err };
	int ret;

	*out = (struct dfd_view){ 0 };
	if (kind >= DFD_NUM_VIEWS)
		return dfd_error_set(err, -EINVAL, "there is no view %u", (unsigned int)kind);
	ret = views[kind].get(&a, out);
	out->calls = a.calls;
	return ret;
}

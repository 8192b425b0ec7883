/* SPDX-License-Identifier: MIT */
/* Migration, and the account that a device itself keeps of what it writes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

#define MAX_STATE 65536u

/** struct saved - the state of a device */
struct saved {
	uint8_t bytes[MAX_STATE];
	size_t len;
};

static const char *not_offered(int ret)
{
	return ret == -ENOTTY ? "not offered" : result(ret);
}

/* By number: 7 is STOP_COPY, P2P and PRE_COPY. */
static const char *migration(void)
{
	uint64_t flags = 0;
	int ret = dfd_migration_flags(dev, &flags);

	return ret ? not_offered(ret) : result((int64_t)flags);
}

static const char *migration_running(void)
{
	uint32_t state = DFD_MIGRATION_ERROR;
	int ret = dfd_migration_get(dev, &state);

	return ret ? not_offered(ret) : dfd_migration_state_name(state);
}

static const char *migration_size(void)
{
	uint64_t size = 0;
	int ret = dfd_migration_size(dev, &size);

	if (ret)
		return not_offered(ret);
	return size && size <= MAX_STATE ? "ok" : "another size";
}

/* Goes there, and is there. Return: an errno, or @fd is what the state has */
static int go(enum dfd_migration_state wanted, int *fd)
{
	uint32_t state = DFD_MIGRATION_ERROR;
	int ret = dfd_migration_set(dev, wanted, fd);

	if (!ret)
		ret = dfd_migration_get(dev, &state);
	return !ret && state != wanted ? -EBADMSG : ret;
}

static int save(struct saved *s)
{
	int fd = -1, ret = go(DFD_MIGRATION_STATE_STOP_COPY, &fd);
	ssize_t n = 1;

	s->len = 0;
	while (!ret && (n = read(fd, s->bytes + s->len, MAX_STATE - s->len)) > 0)
		s->len += (size_t)n;
	if (n < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret ? ret : go(DFD_MIGRATION_RUNNING, &fd);
}

static int restore(const struct saved *s)
{
	int fd = -1, ret = go(DFD_MIGRATION_RESUMING, &fd);

	if (!ret && write(fd, s->bytes, s->len) != (ssize_t)s->len)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret ? ret : go(DFD_MIGRATION_RUNNING, &fd);
}

/* Saved, restored into itself, saved again: the same. */
static const char *migration_there_and_back(void)
{
	static struct saved first, second;
	int ret = save(&first);

	if (!ret)
		ret = restore(&first);
	if (!ret)
		ret = save(&second);
	if (ret)
		return not_offered(ret);
	if (!first.len || first.len != second.len)
		return "another size";
	return memcmp(first.bytes, second.bytes, first.len) ? "another state" : "ok";
}

/* What there is to read first is told while it runs. */
static const char *migration_precopy(void)
{
	struct dfd_precopy precopy = { 0 };
	int fd = -1, other, ret = go(DFD_MIGRATION_STATE_PRE_COPY, &fd);

	if (!ret)
		ret = dfd_migration_precopy(fd, &precopy);
	if (!ret)
		ret = go(DFD_MIGRATION_RUNNING, &other);
	if (fd >= 0)
		close(fd);
	return ret ? not_offered(ret) : precopy.initial ? "ok" : "nothing told";
}

static const char *to_state(uint32_t state)
{
	int fd = -1, ret = dfd_migration_set(dev, (enum dfd_migration_state)state, &fd);

	if (fd >= 0)
		close(fd);
	return not_offered(ret);
}

static const char *migration_to_error(void)
{
	return to_state(DFD_MIGRATION_ERROR);
}

static const char *migration_unknown(void)
{
	return to_state(99);
}

static const char *migration_stop(void)
{
	int fd = -1, ret = go(DFD_MIGRATION_STOP, &fd);

	if (!ret && fd >= 0)
		return "an fd";
	if (!ret)
		ret = go(DFD_MIGRATION_RUNNING, &fd);
	return not_offered(ret);
}

/* ---- account of DMA ---- */

#define RANGE ((struct dfd_dma_range){ IOVA, 64 * PAGE })

/* Nothing has been written by a device that was not told to. */
static const char *logging(void)
{
	const struct dfd_dma_range range = RANGE;
	uint64_t bits = 0;
	int ret = dfd_dma_logging_start(dev, PAGE, &range, 1);

	if (ret)
		return not_offered(ret);
	ret = dfd_dma_logging_report(dev, &range, PAGE, &bits);
	if (!ret && bits)
		return "written";
	return result(ret ? ret : dfd_dma_logging_stop(dev));
}

static const char *logging_twice(void)
{
	const struct dfd_dma_range range = RANGE;
	int ret = dfd_dma_logging_start(dev, PAGE, &range, 1);

	if (ret)
		return not_offered(ret);
	ret = dfd_dma_logging_start(dev, PAGE, &range, 1);
	dfd_dma_logging_stop(dev);
	return result(ret);
}

static const char *logging_wraps(void)
{
	const struct dfd_dma_range range = { UINT64_MAX - PAGE + 1, 2 * PAGE };

	return not_offered(dfd_dma_logging_start(dev, PAGE, &range, 1));
}

static const char *logging_small_pages(void)
{
	const struct dfd_dma_range range = RANGE;

	return not_offered(dfd_dma_logging_start(dev, 512, &range, 1));
}

static const char *logging_nothing(void)
{
	return not_offered(dfd_dma_logging_start(dev, PAGE, NULL, 0));
}

static const char *logging_report_idle(void)
{
	const struct dfd_dma_range range = RANGE;
	uint64_t bits = 0;

	return not_offered(dfd_dma_logging_report(dev, &range, PAGE, &bits));
}

static const char *logging_stop_idle(void)
{
	return not_offered(dfd_dma_logging_stop(dev));
}

const struct test migration_tests[] = {
	{ "migration", "not offered", migration },
	{ "migration-running", "not offered", migration_running },
	{ "migration-size", "not offered", migration_size },
	{ "migration-save-restore", "not offered", migration_there_and_back },
	{ "migration-precopy", "not offered", migration_precopy },
	{ "migration-stop", "not offered", migration_stop },
	{ "migration-to-error", "not offered", migration_to_error },
	{ "migration-unknown", "not offered", migration_unknown },
	{ "logging", "not offered", logging },
	{ "logging-twice", "not offered", logging_twice },
	{ "logging-wraps", "not offered", logging_wraps },
	{ "logging-small-pages", "not offered", logging_small_pages },
	{ "logging-nothing", "not offered", logging_nothing },
	{ "logging-report-idle", "not offered", logging_report_idle },
	{ "logging-stop-idle", "not offered", logging_stop_idle },
	{ 0 },
};

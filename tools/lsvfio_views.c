/* SPDX-License-Identifier: MIT */
/* What each way of asking tells, and whether they agree. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lsvfio.h"
#include "tool.h"

#define ALL_VIEWS ((1u << DFD_NUM_VIEWS) - 1)

int lsvfio_learn(const char *address, struct dfd_device *dev, enum dfd_view_kind kind,
		 struct dfd_view *out)
{
	struct dfd_file *file = dfd_file_new(dev);
	struct dfd_error err = { .text = "out of memory" };
	int ret = -1;

	if (file)
		ret = dfd_view_get(kind, &dfd_fd_file, file, out, &err);
	dfd_file_free(file);
	if (ret)
		return tool_fail(TOOL_FAILED, "%s: asked by %s: %s", address, dfd_view_name(kind),
				 err.text);
	return TOOL_OK;
}

/*
 * What only some views can tell, by the set of these views: topics, and the facts of
 * <devfd/facts.h> where the topic is no more than "other facts".
 */
struct only {
	uint32_t topics[ALL_VIEWS + 1];
	uint32_t facts[ALL_VIEWS + 1];
};

static const char *const meanings[DFD_NUM_FACTS] = {
#define FACT_MEANING(name, num, kind, tell, sysfs, offset, width, key, meaning) meaning,
	DFD_FACTS(FACT_MEANING)
#undef FACT_MEANING
};

static void note_difference(void *ctx, const char *text)
{
	(void)ctx;
	printf("  %s\n", text);
}

static void note_only(void *ctx, const struct dfd_statement *statement, uint32_t views)
{
	struct only *only = ctx;

	if (statement->topic != DFD_TOPIC_NUMBER && statement->topic != DFD_TOPIC_STRING) {
		only->topics[views & ALL_VIEWS] |= UINT32_C(1) << statement->topic;
		return;
	}
	for (int fact = 0; fact < DFD_NUM_FACTS; fact++) {
		if (!strcmp(meanings[fact], statement->key))
			only->facts[views & ALL_VIEWS] |= UINT32_C(1) << fact;
	}
}

/* "only table and vfio tell", "only the table tells" */
static void print_views(uint32_t views)
{
	const char *before = views & (views - 1) ? "  only " : "  only the ";

	for (int kind = 0; kind < DFD_NUM_VIEWS; kind++) {
		if (!(views >> kind & 1))
			continue;
		printf("%s%s", before, dfd_view_name((enum dfd_view_kind)kind));
		before = " and ";
	}
	fputs(views & (views - 1) ? " tell" : " tells", stdout);
}

static void print_only(const struct only *only, uint32_t views)
{
	const char *before = ": ";

	if (!only->topics[views] && !only->facts[views])
		return;
	print_views(views);
	for (int topic = 0; topic < DFD_NUM_TOPICS; topic++) {
		if (!(only->topics[views] >> topic & 1))
			continue;
		printf("%s%s", before, dfd_topic_name((enum dfd_topic)topic));
		before = ", ";
	}
	for (int fact = 0; fact < DFD_NUM_FACTS; fact++) {
		if (!(only->facts[views] >> fact & 1))
			continue;
		printf("%s%s", before, meanings[fact]);
		before = ", ";
	}
	putchar('\n');
}

static int compare(const char *address, const struct dfd_view *views)
{
	struct dfd_view_report report;
	struct only only = { 0 };

	printf("%s\n", address);
	if (dfd_view_compare(views, note_difference, note_only, &only, &report))
		return tool_fail(TOOL_FAILED, "%s: out of memory", address);
	printf("  %" PRIu32 " facts, %" PRIu32 " difference%s\n", report.facts, report.differences,
	       report.differences == 1 ? "" : "s");
	for (uint32_t set = 0; set < ALL_VIEWS; set++)
		print_only(&only, set);
	fputs("  calls: ", stdout);
	for (int kind = 0; kind < DFD_NUM_VIEWS; kind++)
		printf("%s%s %" PRIu32, kind ? ", " : "", dfd_view_name((enum dfd_view_kind)kind),
		       views[kind].calls);
	putchar('\n');
	return report.differences ? TOOL_FAILED : TOOL_OK;
}

int lsvfio_compare(const char *address, struct dfd_device *dev)
{
	struct dfd_view views[DFD_NUM_VIEWS] = { 0 };
	int status = TOOL_OK;

	for (int kind = 0; kind < DFD_NUM_VIEWS && !status; kind++)
		status = lsvfio_learn(address, dev, (enum dfd_view_kind)kind, &views[kind]);
	if (!status)
		status = compare(address, views);
	for (int kind = 0; kind < DFD_NUM_VIEWS; kind++)
		dfd_desc_unref(views[kind].desc);
	return status;
}

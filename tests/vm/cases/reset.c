/* SPDX-License-Identifier: MIT */
/* Reset of a function, and of its slot or bus with all that is in there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

/* ---- what a reset keeps ---- */

/* Its maps and eventfds, and nothing else of what the driver has switched on. */
static const char *keeps(int (*reset)(void))
{
	int fd = new_eventfd(), ret;
	const char *answer = "ok";
	bool routed;

	if (is_pci())
		set_master(true);
	if (has_dma())
		map_file(IOVA, PAGE);
	routed = !set_irq(ROUTE, 0, 1, fd);
	ret = reset();
	if (ret)
		answer = result(ret);
	else if (is_pci() && (command_register() & 4))
		answer = "master on";
	else if (routed && (set_irq(LOOPBACK, 0, 1, -1) || !came(fd, WAIT_MS)))
		answer = "no interrupt";
	else if (has_dma() && unmap(IOVA, PAGE) != PAGE)
		answer = "no map";
	unmap_all();
	set_irq(LOOPBACK, 0, 0, -1);
	if (is_pci())
		set_master(false);
	close(fd);
	return answer;
}

/* ---- of the function ---- */

static bool has_reset(void)
{
	return dfd_desc_flags(dfd_device_desc(dev)) & DFD_DEVICE_RESET;
}

static int reset_it(void)
{
	return dfd_device_reset(dev);
}

static const char *reset_alone(void)
{
	if (!has_reset())
		return dfd_device_reset(dev) == -EINVAL ? NONE : "no EINVAL";
	return result(dfd_device_reset(dev));
}

static const char *reset_keeps(void)
{
	return has_reset() ? keeps(reset_it) : NONE;
}

/* ---- of the slot or bus ---- */

/* Return: the answer for a device without one, else NULL and the list */
static const char *hot_list(struct dfd_hot_reset **r)
{
	struct dfd_error err = { 0 };
	int ret = dfd_hot_reset_info(dev, r, &err);

	if (ret && !err.text[0])
		return "no reason";
	if (ret == -ENODEV || ret == -ENOTTY)
		return NONE;
	return ret ? result(ret) : NULL;
}

static bool well_formed(const struct dfd_reset_device *d)
{
	unsigned int domain, bus, slot, function;
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", d->name);
	return sscanf(d->name, "%4x:%2x:%2x.%1u", &domain, &bus, &slot, &function) == 4 &&
	       !access(path, F_OK) && (!d->ours || !strncmp(d->driver, "vfio", 4));
}

/* How many functions are affected, this one among them; each is there. */
static const char *hot_reset_list(void)
{
	struct dfd_hot_reset *r = NULL;
	const char *answer = hot_list(&r);
	uint32_t ours = 0;

	for (uint32_t i = 0; !answer && i < r->count; i++) {
		ours += r->devices[i].ours;
		if (!well_formed(&r->devices[i]))
			answer = "malformed";
	}
	if (!answer)
		answer = ours ? result(r->count) : "not itself";
	free(r);
	return answer;
}

/* It is possible if all that it affects is ours, and otherwise there is a reason. */
static const char *hot_reset_possible(void)
{
	struct dfd_hot_reset *r = NULL;
	const char *answer = hot_list(&r);
	bool all = true;

	for (uint32_t i = 0; !answer && i < r->count; i++) {
		all = all && r->devices[i].ours;
		if (!r->devices[i].ours && !strstr(r->why, r->devices[i].name))
			answer = "another reason";
	}
	if (!answer && (r->possible != all || r->possible != !r->why[0]))
		answer = "does not fit";
	if (!answer)
		answer = r->possible ? "yes" : "no";
	free(r);
	return answer;
}

static int hot_reset_it(void)
{
	struct dfd_error err = { 0 };
	int ret = dfd_hot_reset(dev, &err);

	return ret && !err.text[0] ? -EBADMSG : ret;
}

static const char *hot_reset(void)
{
	int ret = hot_reset_it();

	return ret == -ENODEV || ret == -ENOTTY ? NONE : result(ret);
}

static const char *hot_reset_keeps(void)
{
	struct dfd_hot_reset *r = NULL;
	const char *answer = hot_list(&r);
	bool possible = !answer && r->possible;

	free(r);
	return possible ? keeps(hot_reset_it) : NONE;
}

const struct test reset_tests[] = {
	{ "reset", "ok", reset_alone },
	{ "reset-keeps", "ok", reset_keeps },
	{ "hot-reset-list", "2", hot_reset_list },
	{ "hot-reset-possible", "yes", hot_reset_possible },
	{ "hot-reset", "ok", hot_reset },
	{ "hot-reset-keeps", "ok", hot_reset_keeps },
	{ 0 },
};

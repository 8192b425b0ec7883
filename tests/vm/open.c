/* SPDX-License-Identifier: MIT */
/*
 * Opens a device and maps a page for it. Where one of them fails, the name of the errno and the
 * sentence for people are told.
 *
 * usage: vm-open ADDRESS
 */
#include <stdio.h>
#include <string.h>

#include "driver.h"

#define PAGE 4096u

static char sentence[512];

static void take_line(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(sentence, sizeof(sentence), "%s", text);
}

static int refused(int ret, const char *text)
{
	fprintf(stderr, "%s: %s\n", strerrorname_np(-ret), text);
	return 1;
}

int main(int argc, char **argv)
{
	struct dfd_device *dev;
	struct dfd_dma_buf buf;
	struct dfd_error err;
	int ret;

	must(argc == 2, "usage: vm-open ADDRESS");
	ret = dfd_open(argv[1], &dev, &err);
	if (ret)
		return refused(ret, err.text);
	dfd_device_watch_log(dev, take_line, NULL);
	ret = dfd_dma_alloc(dev, PAGE, 0, &buf);
	if (!ret)
		dfd_dma_free(dev, &buf);
	dfd_device_close(dev);
	return ret ? refused(ret, sentence) : 0;
}

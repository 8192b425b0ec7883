/* SPDX-License-Identifier: MIT */
/*
 * Every fact of the devices at some addresses, or why there is none.
 * usage: describe ADDRESS...
 */
#include <stdio.h>
#include <string.h>

#include <devfd/devfd.h>

static int print(void *ctx, const struct dfd_statement *s)
{
	(void)ctx;
	printf("%s = %s\n", s->key, s->value);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct dfd_device *dev = NULL;
		struct dfd_error err;

		printf("== %s\n", argv[i]);
		if (dfd_open(argv[i], &dev, &err))
			printf("%s: %s\n", strerrorname_np(-err.code), err.text);
		else
			dfd_desc_walk(dfd_device_desc(dev), print, NULL);
		dfd_device_close(dev);
	}
	return 0;
}

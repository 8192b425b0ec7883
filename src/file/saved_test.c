/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/open.h>
#include <devfd/provider.h>
#include <devfd/save.h>

static char dir[] = "/tmp/devfd-saved-XXXXXX";

/* A function whose configuration space counts upwards, as far as @readable. */
struct source {
	size_t readable;
	int error;
};

static ssize_t count_up(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			size_t len)
{
	const struct source *s = dfd_device_priv(dev);
	uint8_t *bytes = buf;
	size_t n = 0;

	(void)index;
	while (n < len && n < 100 && offset + n < s->readable) {
		bytes[n] = (uint8_t)(offset + n);
		n++;
	}
	return n ? (ssize_t)n : s->error;
}

static const struct dfd_device_ops source_ops = {
	.size = sizeof(source_ops),
	.name = "source",
	.region_read = count_up,
};

static struct dfd_device *new_source(struct source *s, enum dfd_bus bus, uint64_t config_size)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(bus);
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	dfd_desc_set_str(b, DFD_FACT_NAME, "a source");
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0, .size = 0x1000 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 7, .size = config_size });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, &source_ops, s, false, &dev), 0);
	dfd_desc_unref(desc);
	return dev;
}

static const char *in_dir(const char *scheme, const char *name)
{
	static char path[2][128];
	static int which;

	which = !which;
	snprintf(path[which], sizeof(path[which]), "%s%s/%s", scheme, dir, name);
	return path[which];
}

static struct dfd_device *save_and_open(struct dfd_device *dev)
{
	struct dfd_device *again = NULL;
	struct dfd_error err;

	if (dfd_save(dev, in_dir("", "a.dfd"), &err) ||
	    dfd_open(in_dir("file:", "a.dfd"), &again, &err))
		fail_msg("%s", err.text);
	if (!dfd_desc_equal(dfd_device_desc(dev), dfd_device_desc(again), &err))
		fail_msg("%s", err.text);
	return again;
}

static void check_config(struct dfd_device *dev, size_t want)
{
	uint8_t config[4096];

	if (want)
		assert_int_equal(dfd_region_read(dev, 7, 0, config, sizeof(config)), want);
	for (size_t i = 0; i < want; i++)
		assert_int_equal(config[i], (uint8_t)i);
	assert_int_equal(dfd_region_read(dev, 0, 0, config, 4), -EOPNOTSUPP);
	if (want < 256)
		assert_int_equal(dfd_region_read(dev, 7, want, config, 4), -EOPNOTSUPP);
}

static void test_round_trip(void **state)
{
	static const struct {
		enum dfd_bus bus;
		uint64_t size;
		struct source source;
		size_t want;
	} cases[] = {
		{ DFD_BUS_PCI, 256, { 4096, 0 }, 256 },
		{ DFD_BUS_PCI, 4096, { 4096, 0 }, 4096 },
		{ DFD_BUS_PCI, 256, { 64, -EACCES }, 64 },
		{ DFD_BUS_PCI, 256, { 0, -EOPNOTSUPP }, 0 },
		{ DFD_BUS_DT, 256, { 4096, 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source source = cases[i].source;
		struct dfd_device *dev = new_source(&source, cases[i].bus, cases[i].size);
		struct dfd_device *again = save_and_open(dev);

		check_config(again, cases[i].want);
		/* A saved file of a saved file is the same. */
		dfd_device_close(dev);
		dev = save_and_open(again);
		check_config(dev, cases[i].want);
		dfd_device_close(again);
		dfd_device_close(dev);
	}
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void check_untouched(const char *path)
{
	char text[8] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "mine");
}

static int entries(void)
{
	DIR *d = opendir(dir);
	int count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

/* Save while no file can grow beyond 100 bytes. */
static int save_limited(struct dfd_device *dev, const char *path)
{
	void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit old, limit;
	int ret;

	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ 100, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	ret = dfd_save(dev, path, NULL);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, old_handler);
	return ret;
}

static void test_save_fails(void **state)
{
	struct source source = { 0, -EIO };
	struct dfd_device *dev = new_source(&source, DFD_BUS_PCI, 256);
	struct dfd_error err;
	int before;

	(void)state;
	write_text(in_dir("", "old.dfd"), "mine");
	before = entries();
	assert_int_equal(dfd_save(dev, in_dir("", "old.dfd"), &err), -EIO);
	check_untouched(in_dir("", "old.dfd"));
	source = (struct source){ 256, 0 };
	assert_int_equal(dfd_save(dev, dir, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is not a regular file"));
	assert_int_equal(dfd_save(dev, in_dir("", "no/such"), &err), -ENOENT);
	assert_int_equal(symlink("old.dfd", in_dir("", "link")), 0);
	assert_int_equal(dfd_save(dev, in_dir("", "link"), &err), -EINVAL);
	check_untouched(in_dir("", "old.dfd"));
	unlink(in_dir("", "link"));
	assert_int_equal(save_limited(dev, in_dir("", "old.dfd")), -EFBIG);
	check_untouched(in_dir("", "old.dfd"));
	assert_int_equal(entries(), before);
	dfd_device_close(dev);
}

static void test_open_fails(void **state)
{
	struct dfd_device *dev;
	struct dfd_error err;

	(void)state;
	write_text(in_dir("", "text"), "not a table, but long enough for one");
	assert_int_equal(dfd_open(in_dir("file:", "text"), &dev, &err), -EBADMSG);
	assert_int_equal(dfd_open(in_dir("file:", "none"), &dev, &err), -ENOENT);
	assert_int_equal(dfd_open(in_dir("file:", ""), &dev, &err), -EISDIR);
	assert_int_equal(dfd_open("file:", &dev, &err), -EINVAL);
	assert_int_equal(dfd_open("file:/dev/zero", &dev, &err), -EFBIG);
	assert_string_equal(err.text, "file:/dev/zero: is larger than 1048576 bytes");
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_save_fails),
		cmocka_unit_test(test_open_fails),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

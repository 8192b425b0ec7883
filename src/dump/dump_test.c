/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <devfd/dump.h>
#include <devfd/print.h>

#include "random_desc.h"

/* What opening a dump with that text gives. */
static int open_text(const char *text, size_t len, struct dfd_dump **dump, struct dfd_error *err)
{
	int fd = memfd_create("dump", 0), ret;
	char path[64];

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = dfd_dump_open(path, dump, err);
	close(fd);
	return ret;
}

static char *json_of(const char *address, const struct dfd_desc *desc)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputc('[', out);
	assert_int_equal(dfd_print_json(out, address, desc), 0);
	fputc(']', out);
	fclose(out);
	return text;
}

/* No description is so strange that it would not come back as it was. */
static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		const struct dfd_desc *desc = dfd_random_desc(seed);
		char *before = json_of("a:b", desc), *after;
		struct dfd_dump *dump;
		struct dfd_error err;

		if (open_text(before, strlen(before), &dump, &err))
			fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
		assert_int_equal(dfd_dump_count(dump), 1);
		after = json_of(dfd_dump_address(dump, 0),
				dfd_device_desc(dfd_dump_device(dump, 0)));
		assert_string_equal(after, before);
		free(after);
		free(before);
		dfd_dump_close(dump);
		dfd_desc_unref(desc);
	}
}

static char *all_of(const struct dfd_dump *dump)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputc('[', out);
	assert_int_equal(dfd_print_device_json(out, dfd_dump_address(dump, 0),
					       dfd_dump_device(dump, 0),
					       &(struct dfd_origin){ .dump = dump }, "01:00.0"),
			 0);
	fputc(']', out);
	fclose(out);
	return text;
}

/* What an open device of the kernel's VFIO tells beyond its description. */
static void test_abilities(void **state)
{
	static const char text[] =
		"[{\"address\": \"pci:01:00.0\", \"bus\": \"pci\", \"regions\": [{\"index\": 7, "
		"\"size\":"
		" 256}], \"facts\": {\"msix_vectors\": 5}, \"irq_flags\": [{\"index\": 2, "
		"\"eventfd\": true, \"maskable\": false, \"automasked\": false, \"noresize\": "
		"true}],"
		" \"config_space\": \"f41a4110\", \"place\": {\"bus\": \"pci\", \"name\":"
		" \"0000:01:00.0\", \"driver\": \"vfio-pci\"}, \"features\": [{\"number\": 1, "
		"\"get\":"
		" true}], \"hot_reset\": {\"possible\": false, \"why\": \"not ours\", \"devices\":"
		" [{\"name\": \"0000:01:00.1\", \"driver\": \"nvme\", \"group\": 4, \"ours\": "
		"false}]},"
		" \"dma\": {\"page\": 4096, \"page_sizes\": [4096, 2097152], \"maps_left\": 65535,"
		" \"locked\": 4096, \"lockable\": 8388608, \"lockable_by_user\": true, \"ranges\":"
		" [{\"start\": 0, \"last\": 4095}]}}]";
	static const char *const parts[] = {
		"\"f41a4110\"", "\"vfio-pci\"", "\"MIGRATION\"",
		"\"not ours\"", "\"nvme\"",	"\"noresize\": true",
		"2097152",	"65535",	"\"locked\": 4096",
		"8388608",	"4095",
	};
	struct dfd_dump *dump;
	char *once, *twice;

	(void)state;
	assert_int_equal(open_text(text, strlen(text), &dump, NULL), 0);
	once = all_of(dump);
	dfd_dump_close(dump);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (!strstr(once, parts[i]))
			fail_msg("%s is missing in %s", parts[i], once);
	}
	assert_int_equal(open_text(once, strlen(once), &dump, NULL), 0);
	twice = all_of(dump);
	dfd_dump_close(dump);
	assert_string_equal(once, twice);
	free(once);
	free(twice);
}

#define DEVICE(rest) "[{\"address\": \"a:b\", \"bus\": \"pci\", " rest "}]"
#define REGION(rest) DEVICE("\"regions\": [{\"index\": 0, " rest "}]")

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int ret;
		const char *why;
	} cases[] = {
		{ "", -EBADMSG, "ends within its JSON" },
		{ "[", -EBADMSG, "ends within its JSON" },
		{ "[{\"name\": \"x\"}] more", -EBADMSG, "is no JSON at byte 16" },
		{ "[{name: 1}]", -EBADMSG, "is no JSON at byte 2" },
		{ "[{\"name\": \"\xff\"}]", -EBADMSG, "is no JSON" },
		{ "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", -EBADMSG, "is no JSON" },
		{ "{}", -EBADMSG, "is no array of devices" },
		{ "[]", -EBADMSG, "is no array of devices" },
		{ "null\n", -EBADMSG, "is no array of devices" },
		{ "[null]", -EBADMSG, "item 1: is no object" },
		{ "[{\"name\": \"x\"}, 7]", -EBADMSG, "item 2: is no object" },
		{ "[{}]", -EBADMSG, "item 1: has no \"name\"" },
		{ "[{\"name\": 5}]", -EBADMSG, "\"name\" is no string" },
		{ "[{\"name\": \"a\\u0000b\"}]", -EBADMSG, "\"name\" is no string" },
		{ "[{\"name\": \"x\", \"iommu_group\": -1}]", -EBADMSG,
		  "\"iommu_group\" is no number from 0 to 2147483647" },
		{ "[{\"name\": \"x\", \"vendor\": 1e9}]", -EBADMSG, "\"vendor\" is no number" },
		{ "[{\"name\": \"x\", \"bars\": [1,2,3,4,5,6,7]}]", -EBADMSG,
		  "\"bars\" is no array of up to 6 items" },
		{ "[{\"machine\": []}]", -EBADMSG, "\"machine\" is no object" },
		{ "[{\"machine\": {\"cdev\": 1}}]", -EBADMSG, "neither true nor false" },
		{ "[{\"groups\": [{\"group\": 1, \"members\": [1]}]}]", -EBADMSG,
		  "\"members\" holds something else than objects" },
		{ "[{\"groups\": [{\"group\": 1, \"members\": [{\"name\": \"x\", \"state\": "
		  "\"host\"}]}]}]",
		  -EBADMSG, "has no \"driver\"" },
		{ "[{\"regions\": []}]", -EBADMSG, "has no \"address\"" },
		{ REGION("\"size\": -1"), -EBADMSG, "\"size\" is no number from 0 to 18446744" },
		{ REGION("\"offset\": 0"), -EBADMSG, "has no \"size\"" },
		{ DEVICE("\"regions\": [], \"irq_flags\": [{\"index\": 1024}]"), -EBADMSG,
		  "\"index\" is no number from 0 to 1023" },
		{ REGION("\"size\": 0"), -EINVAL, "item 1: " },
		{ REGION("\"size\": 18446744073709551615"), -EINVAL, "item 1: " },
		{ REGION("\"size\": 8, \"capabilities\": [{\"id\": 1, \"data\": \"0g\"}]"),
		  -EBADMSG, "\"data\" is not up to 4096 bytes in hexadecimal" },
		{ DEVICE("\"regions\": [], \"config_space\": \"0\""), -EBADMSG,
		  "\"config_space\" is not up to 4096 bytes" },
		{ DEVICE("\"regions\": [], \"features\": [{\"number\": 64}]"), -EBADMSG,
		  "\"number\" is no number from 0 to 63" },
		{ DEVICE("\"regions\": [], \"place\": {}"), -EBADMSG, "has no \"name\"" },
	};
	struct dfd_dump *dump;
	struct dfd_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int ret = open_text(cases[i].text, strlen(cases[i].text), &dump, &err);

		if (ret != cases[i].ret || !strstr(err.text, cases[i].why))
			fail_msg("%s: %d, %s", cases[i].text, ret, ret ? err.text : "");
	}
}

/* Small files that would become large trees. */
static void test_bounded(void **state)
{
	static const char *const fillers[] = { "{},", "[],", "0,",
					       "{\"regions\":[],\"address\":\"\"}," };
	const size_t room = DFD_DUMP_MAX_SIZE + 2;
	char *text = malloc(room + 1);
	struct dfd_dump *dump;
	struct dfd_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(fillers) / sizeof(*fillers); i++) {
		size_t len = 1, step = strlen(fillers[i]);

		text[0] = '[';
		for (; len + step <= (i < 3 ? DFD_DUMP_MAX_SIZE : 40000u) - 1; len += step)
			memcpy(text + len, fillers[i], step);
		text[len - 1] = ']';
		assert_int_equal(open_text(text, len, &dump, &err), -EFBIG);
	}
	memset(text, ' ', room);
	assert_int_equal(open_text(text, room, &dump, &err), -EFBIG);
	free(text);
}

static int count_found(void *ctx, const struct dfd_found *found)
{
	assert_string_equal(found->name, "x");
	++*(int *)ctx;
	return 0;
}

static int count_group(void *ctx, const struct dfd_group *group)
{
	*(int *)ctx += (int)group->number;
	return 0;
}

/* What is not known is passed over, null is as if it were not there. */
static void test_unknown(void **state)
{
	static const char text[] =
		"[{\"machine\": {\"memlock\": null, \"new\": 1}, \"groups\": [{\"group\": 4},"
		" {\"group\": 5, \"state\": \"new\"}]}, {\"name\": \"x\", \"state\": \"new\"}]";
	struct dfd_machine machine;
	struct dfd_dump *dump;
	int count = 0;

	(void)state;
	assert_int_equal(open_text(text, strlen(text), &dump, NULL), 0);
	assert_int_equal(dfd_dump_count(dump), 0);
	assert_int_equal(dfd_dump_enumerate(dump, count_found, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(dfd_dump_enumerate_groups(dump, count_group, &count), 0);
	assert_int_equal(count, 1 + 4 + 5);
	assert_true(dfd_dump_machine(dump, &machine));
	assert_true(machine.memlock == UINT64_MAX && machine.remapping == DFD_UNKNOWN);
	dfd_dump_close(dump);
	assert_int_equal(dfd_dump_open("/nonexistent", &dump, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	cmocka_unit_test(test_abilities),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests_name("dump", tests, NULL, NULL);
}

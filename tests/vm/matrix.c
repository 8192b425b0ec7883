/* SPDX-License-Identifier: MIT */
/*
 * The same list of cases over every source of devices: what a driver sees does not depend on where
 * the device is, but for what stands in a file.
 *
 * usage: vm-matrix DIFFERENCES SOURCE=ADDRESS...
 *
 * Each case has the answer that is expected of every source. DIFFERENCES has lines of cases,
 * sources, answer and the reason, for the sources that answer otherwise; "a,b" stands for both. A
 * difference that is not listed is a failure, and so is a line that is not needed, as far as its
 * source is among those given. An answer of "-" there: the case is left out.
 * "none": the device has nothing to try it on, which is right everywhere.
 *
 * Prints "matrix CASE SOURCE EXPECTED ANSWER" for each, "_" for a blank, for matrix.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases/cases.h"

#define MAX_LINES 1024

struct dfd_device *dev;
const char *address;

/* ---- differences ---- */

/** struct line - a difference that is expected */
struct line {
	char test[32], source[16], answer[32];
	bool used;
};

static struct line lines[MAX_LINES];
static size_t num_lines;

static void fail(const char *what, const char *name)
{
	fprintf(stderr, "matrix: %s: %s\n", name, what);
	exit(2);
}

/* The words between commas, one after the other. Return: is there one more? */
static bool next_word(const char **list, char *word, size_t size)
{
	size_t len = strcspn(*list, ",");

	if (!len || len >= size)
		return false;
	memcpy(word, *list, len);
	word[len] = '\0';
	*list += len + ((*list)[len] == ',');
	return true;
}

static void add_lines(const char *file, const char *tests_list, const char *sources,
		      const char *answer)
{
	struct line l = { 0 };

	snprintf(l.answer, sizeof(l.answer), "%s", answer);
	while (next_word(&tests_list, l.test, sizeof(l.test))) {
		const char *rest = sources;

		while (next_word(&rest, l.source, sizeof(l.source))) {
			if (num_lines == MAX_LINES)
				fail("too many lines", file);
			lines[num_lines++] = l;
		}
		if (*rest)
			fail("a source with no name, or one too long", file);
	}
	if (*tests_list)
		fail("a case with no name, or one too long", file);
}

static void read_lines(const char *file)
{
	char text[1024], cases[512], sources[256], answer[32];
	FILE *f = fopen(file, "re");

	if (!f)
		fail("cannot be read", file);
	while (fgets(text, sizeof(text), f)) {
		if (text[0] == '#' || text[0] == '\n')
			continue;
		if (!strchr(text, '#') ||
		    sscanf(text, "%511s %255s %31s", cases, sources, answer) != 3)
			fail("a line is not: cases sources answer # reason", file);
		add_lines(file, cases, sources, answer);
	}
	fclose(f);
}

/* A case that a source must be spared. */
static bool left_out(const struct test *t, const char *source)
{
	for (size_t i = 0; i < num_lines; i++) {
		struct line *l = &lines[i];

		if (!strcmp(l->test, t->name) && !strcmp(l->source, source) &&
		    !strcmp(l->answer, "-")) {
			l->used = true;
			return true;
		}
	}
	return false;
}

/* @wanted and @answer are words. */
static bool expected(const struct test *t, const char *source, const char *wanted,
		     const char *answer)
{
	for (size_t i = 0; i < num_lines; i++) {
		struct line *l = &lines[i];

		if (strcmp(l->test, t->name) != 0 || strcmp(l->source, source) != 0)
			continue;
		l->used = true;
		return !strcmp(l->answer, answer) && strcmp(wanted, answer) != 0;
	}
	return !strcmp(wanted, answer) || !strcmp(answer, NONE);
}

/* Lines of a source that was run and that nobody has looked at name no case. */
static int unused(const char *source)
{
	int count = 0;

	for (size_t i = 0; i < num_lines; i++) {
		if (!lines[i].used && !strcmp(lines[i].source, source)) {
			printf("FAIL  %s %s: there is no such case\n", lines[i].test, source);
			count++;
		}
	}
	return count;
}

/* ---- all of it ---- */

/* As in the list of differences: one word. */
static const char *as_word(const char *answer, char *word, size_t size)
{
	snprintf(word, size, "%s", answer);
	for (char *c = word; *c; c++)
		*c = *c == ' ' ? '_' : *c;
	return word;
}

static int run_case(const struct test *t, const char *source)
{
	char wanted[32], word[32];
	const char *answer = "-";

	if (!left_out(t, source))
		answer = dev ? t->run() : "not open";
	as_word(answer, word, sizeof(word));
	printf("matrix %s %s %s %s\n", t->name, source,
	       as_word(t->expected, wanted, sizeof(wanted)), word);
	if (expected(t, source, wanted, word))
		return 0;
	printf("FAIL  %s %s: %s\n", t->name, source, answer);
	return 1;
}

static const struct test *const lists[] = {
	open_tests,  region_tests, irq_tests,	  dma_tests,	   huge_tests,
	limit_tests, reset_tests,  feature_tests, migration_tests,
};
#define NUM_LISTS (sizeof(lists) / sizeof(*lists))

static int run_source(const char *source, unsigned int *count)
{
	struct dfd_error err;
	int failed = 0;

	if (dfd_open(address, &dev, &err))
		fail(err.text, source);
	*count = 0;
	for (size_t i = 0; i < NUM_LISTS; i++) {
		for (const struct test *t = lists[i]; t->name; t++, ++*count)
			failed += run_case(t, source);
	}
	dfd_device_close(dev);
	return failed + unused(source);
}

int main(int argc, char **argv)
{
	unsigned int count = 0;
	int failed = 0;

	if (argc < 3)
		fail("usage: vm-matrix DIFFERENCES SOURCE=ADDRESS...", "arguments");
	read_lines(argv[1]);
	if (!make_memory())
		fail("no memory", "memfd");
	for (int n = 2; n < argc; n++) {
		char *equals = strchr(argv[n], '=');

		if (!equals)
			fail("is not SOURCE=ADDRESS", argv[n]);
		*equals = '\0';
		address = equals + 1;
		failed += run_source(argv[n], &count);
	}
	printf("%u cases over %d sources, %d failures\n", count, argc - 2, failed);
	return failed != 0;
}

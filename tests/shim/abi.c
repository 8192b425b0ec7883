/* SPDX-License-Identifier: MIT */
/*
 * The ABI of VFIO and iommufd, row by row, with what the kernel answers.
 *
 * usage: abi [--shim] ROWS A=NAME..., such as abi abi.txt A=0000:00:01.0
 *
 * Theory of operation: ROWS is a text with one call in each line and behind "->" what came of it.
 * It is printed again, with what comes of the calls now; who runs this compares the two. So one
 * file is the list of calls, what the kernel of a guest has answered, and what is wanted of the
 * shim. Plain system calls, nothing of the library: the same program runs on both.
 *
 * A line that starts with "shim ->" says what the shim answers to the call above instead, and after
 * "#" why it may. With --shim that is held against the answer, and the kernel's stays as it is.
 *
 *     == TEXT                         all files are closed and memory is as at the start
 *     open FILE [NAME] [as VAR]       container, iommu, group A, cdev A, or a path
 *     close VAR
 *     poke ADDRESS WIDTH VALUE...     peek ADDRESS WIDTH COUNT
 *     pread VAR OFFSET SIZE           pwrite VAR OFFSET BYTE...     mmap VAR OFFSET SIZE [r][w][p]
 *     VAR REQUEST [ARGUMENT...] [as VAR]
 *
 * A value is a number, "max", "m" (memory), "b" (another piece, for arrays), "ro" (read only) or
 * "hole" (nothing), $VAR, or a sum of two of them; an offset may start with "r" and a region's
 * number. A struct is given as FIELD=VALUE..., the rest is 0 but for its size; data=V,V... are
 * words behind it; tail=V is a byte behind that; short=N: only so many bytes of it are there; null.
 * Of a struct the fields that have changed are told. Numbers that a kernel chooses are told as
 * "new" or by the variable that has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi_calls.h"

#define PAGE	    4096u
#define MEMORY	    (UINT64_C(4) << 20)
#define MAX_WORDS   32
#define MAX_VARS    32
#define MAX_DEVICES 4
#define LINE	    512

struct var {
	char name[16];
	uint64_t value;
	bool fd;
};

static struct var vars[MAX_VARS];
static unsigned int num_vars;
static struct device {
	const char *name, *bdf;
} devices[MAX_DEVICES];
static unsigned int num_devices;
static char *memory, *scratch, *readonly, *hole, *argument;
static char told[4096];

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	size_t used = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + used, sizeof(told) - used, format, args);
	va_end(args);
}

__attribute__((format(printf, 1, 2), noreturn)) static void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

/* ---- variables ---- */

static struct var *find_var(const char *name)
{
	for (unsigned int i = 0; i < num_vars; i++) {
		if (!strcmp(vars[i].name, name))
			return &vars[i];
	}
	return NULL;
}

static void set_var(const char *name, uint64_t value, bool fd)
{
	struct var *v = find_var(name);

	if (!v) {
		if (num_vars == MAX_VARS)
			give_up("too many variables");
		v = &vars[num_vars++];
		v->fd = false;
		snprintf(v->name, sizeof(v->name), "%s", name);
	}
	if (v->fd && (int)v->value >= 0)
		close((int)v->value);
	v->value = value;
	v->fd = fd;
}

static int fd_of(const char *name)
{
	const struct var *v = find_var(name);

	if (!v)
		give_up("%s: no such file", name);
	return (int)v->value;
}

static const struct device *find_device(const char *name)
{
	for (unsigned int i = 0; i < num_devices; i++) {
		if (!strcmp(devices[i].name, name))
			return &devices[i];
	}
	return NULL;
}

static uint64_t one_value(const char *text)
{
	const struct var *v = *text == '$' ? find_var(text + 1) : NULL;
	uint64_t value;
	char *end;

	if (v)
		return v->value;
	if (!strcmp(text, "max"))
		return UINT64_MAX;
	if (!strcmp(text, "m"))
		return (uintptr_t)memory;
	if (!strcmp(text, "b"))
		return (uintptr_t)scratch;
	if (!strcmp(text, "ro"))
		return (uintptr_t)readonly;
	if (!strcmp(text, "hole"))
		return (uintptr_t)hole;
	value = strtoull(text, &end, 0);
	if (*end || end == text)
		give_up("%s: no value", text);
	return value;
}

static uint64_t value_of(const char *text)
{
	char first[64];
	const char *plus = strchr(text, '+');

	if (!plus)
		return one_value(text);
	snprintf(first, sizeof(first), "%.*s", (int)(plus - text), text);
	return one_value(first) + one_value(plus + 1);
}

/* ---- results ---- */

static void tell_number(uint64_t value)
{
	tell(value < 10 ? "%" PRIu64 : "0x%" PRIx64, value);
}

static void tell_result(long ret)
{
	if (ret >= 0)
		tell_number((uint64_t)ret);
	else
		tell("-%s", strerrorname_np(errno));
}

static void tell_fd(int fd, const char *as)
{
	if (fd < 0)
		tell_result(fd);
	else
		tell("fd");
	if (as)
		set_var(as, (uint64_t)fd, true);
	else if (fd >= 0)
		close(fd);
}

static void tell_id(uint32_t id)
{
	for (unsigned int i = 0; i < num_vars; i++) {
		if (!vars[i].fd && vars[i].value == id) {
			tell("$%s", vars[i].name);
			return;
		}
	}
	if (id && id != UINT32_MAX)
		tell("new");
	else
		tell(id ? "none" : "0");
}

/* ---- arguments of ioctls ---- */

/** struct arg - a struct that is put together: @total with all that follows it */
struct arg {
	uint8_t bytes[2 * PAGE];
	size_t size, total, there;
	bool null, sized;
};

static uint64_t get(const uint8_t *bytes, const struct field *f)
{
	uint64_t value = 0;

	memcpy(&value, bytes + f->at, f->size);
	return value;
}

/* An offset in a device's file; where a region is there is asked. */
static off_t offset_of(int fd, const char *text)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	char *end;

	if (text[0] != 'r' || text[1] < '0' || text[1] > '9')
		return (off_t)value_of(text);
	info.index = (uint32_t)strtoul(text + 1, &end, 10);
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		give_up("%s: no such region", text);
	return (off_t)(info.offset + (*end == '+' ? value_of(end + 1) : 0));
}

static void put(struct arg *a, const struct field *f, uint64_t value)
{
	memcpy(a->bytes + f->at, &value, f->size);
}

static void put_data(struct arg *a, char *list)
{
	for (char *at, *word = strtok_r(list, ",", &at); word; word = strtok_r(NULL, ",", &at)) {
		uint32_t value = (uint32_t)value_of(word);

		memcpy(a->bytes + a->total, &value, sizeof(value));
		a->total += sizeof(value);
	}
}

static void put_word(int fd, struct arg *a, const struct fields *fields, char *word)
{
	char *value = strchr(word, '=');

	if (!strcmp(word, "null")) {
		a->null = true;
		return;
	}
	if (!value)
		give_up("%s: no field", word);
	*value++ = 0;
	if (!strcmp(word, "data")) {
		put_data(a, value);
	} else if (!strcmp(word, "tail")) {
		a->bytes[a->total] = (uint8_t)value_of(value);
	} else if (!strcmp(word, "short")) {
		a->there = (size_t)value_of(value);
	} else {
		const struct field *f = abi_field(fields, word);

		if (!f)
			give_up("%s: no such field", word);
		put(a, f, (uint64_t)offset_of(fd, value));
		a->sized |= !f->at;
	}
}

static void tell_changes(const struct fields *fields, const uint8_t *before, const uint8_t *after)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct field *f = &fields->list[i];
		uint64_t value = get(after, f);

		if (f->kind == FIELD_ANY || (value == get(before, f) && f->kind != FIELD_ID_OUT))
			continue;
		tell(" %s=", f->name);
		if (f->kind == FIELD_NUMBER)
			tell_number(value);
		else
			tell_id((uint32_t)value);
	}
}

static uint32_t word_at(const uint8_t *bytes, uint32_t at)
{
	uint32_t word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

/* A chain behind an info struct: id.version and the words of each, but for zeros at the end. */
static void tell_chain(const uint8_t *bytes, uint32_t at, uint32_t size)
{
	while (at && at + 8 <= size) {
		uint32_t next = word_at(bytes, at + 4), end = next ? next : size & ~3u;

		tell(" [%u.%u", word_at(bytes, at) & 0xffff, word_at(bytes, at) >> 16);
		while (!next && end > at + 8 && !word_at(bytes, end - 4))
			end -= 4;
		for (uint32_t p = at + 8; p + 4 <= end; p += 4)
			tell(" %x", word_at(bytes, p));
		tell("]");
		at = next > at ? next : 0;
	}
}

/* As a kernel numbers it, but for a device that was given a name here. */
static void tell_dependent(const uint32_t *entry, bool is_devid)
{
	char bdf[16];
	const char *name = bdf;

	snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x", entry[1] & 0xffff, entry[1] >> 16 & 0xff,
		 entry[1] >> 27, entry[1] >> 24 & 7);
	for (unsigned int i = 0; i < num_devices; i++) {
		if (!strcmp(devices[i].bdf, bdf))
			name = devices[i].name;
	}
	tell(" %s:", name);
	if (is_devid)
		tell_id(entry[0]);
	else
		tell("group");
}

static void tell_more(const struct call *c, const struct fields *fields, const uint8_t *bytes,
		      size_t room, long ret)
{
	const struct field *caps = abi_field(fields, "cap_offset");
	uint32_t words[3], entry[2];

	memcpy(words, bytes, sizeof(words));
	if (caps && !ret)
		tell_chain(bytes, (uint32_t)get(bytes, caps), words[0]);
	for (uint32_t i = 0; c->dependents && !ret && i < words[2]; i++) {
		if (12 + 8 * (size_t)(i + 1) > room)
			break;
		memcpy(entry, bytes + 12 + 8 * (size_t)i, sizeof(entry));
		tell_dependent(entry, words[1] & 1);
	}
}

static void with_struct(int fd, const struct call *c, char **words, const char *as)
{
	const struct fields *fields = abi_fields(c);
	struct arg a = { .size = fields->size, .total = fields->size };
	uint8_t after[sizeof(a.bytes)];
	char *at;
	long ret;

	for (; *words; words++)
		put_word(fd, &a, fields, *words);
	if (!a.sized)
		put(&a, &fields->list[0], a.total);
	memcpy(after, a.bytes, sizeof(after));
	/* What is not there lies behind the end of a page. */
	at = a.there ? argument + 2 * PAGE - a.there : argument;
	memcpy(at, a.bytes, a.there ? a.there : sizeof(a.bytes));
	ret = ioctl(fd, c->request, a.null ? NULL : at);
	if (c->gives_fd) {
		tell_fd((int)ret, as);
		return;
	}
	tell_result(ret);
	if (a.null)
		return;
	memcpy(after, at, a.there ? a.there : sizeof(after));
	if (!ret || errno == ENOSPC || errno == EMSGSIZE)
		tell_changes(fields, a.bytes, after);
	tell_more(c, fields, after, a.total, ret);
	if (as && c->saves)
		set_var(as, get(after, abi_field(fields, c->saves)), false);
}

static const char *string_of(const char *word, char *buf, size_t size)
{
	const struct device *d = word ? find_device(word) : NULL;

	if (!word || !strcmp(word, "null"))
		return NULL;
	/* A device's name, and maybe more behind it. */
	if (!d && word[1] == '_') {
		char name[2] = { word[0] };

		d = find_device(name);
		word++;
	} else if (d) {
		word = "";
	}
	snprintf(buf, size, "%s%s", d ? d->bdf : "", word);
	for (char *p = buf; *p; p++)
		*p = *p == '_' ? ' ' : *p;
	return buf;
}

static void do_ioctl(char **words, const char *as)
{
	const struct call *c = abi_call(words[1]);
	int fd = fd_of(words[0]), number;
	char text[128];

	if (!c)
		give_up("%s: no such request", words[1]);
	switch (c->takes) {
	case TAKES_STRUCT:
		with_struct(fd, c, words + 2, as);
		return;
	case TAKES_NUMBER:
		tell_result(ioctl(fd, c->request, words[2] ? value_of(words[2]) : 0));
		return;
	case TAKES_INT:
		number = words[2] && strcmp(words[2], "null") != 0 ? (int)value_of(words[2]) : 0;
		tell_result(ioctl(fd, c->request,
				  words[2] && !strcmp(words[2], "null") ? NULL : &number));
		return;
	case TAKES_NAME:
		tell_fd(ioctl(fd, c->request, string_of(words[2], text, sizeof(text))), as);
		return;
	}
}

/* ---- the other calls ---- */

/* /dev/vfio/N of a device, by the name of its group; noiommu is not asked for here. */
static void group_path(const char *bdf, char *path, size_t size)
{
	char link[128], to[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	n = readlink(link, to, sizeof(to) - 1);
	if (n < 0)
		give_up("%s: %s", link, strerror(errno));
	to[n] = 0;
	snprintf(path, size, "/dev/vfio/%s", strrchr(to, '/') + 1);
}

static void cdev_path(const char *bdf, char *path, size_t size)
{
	for (int i = 0; i < 64; i++) {
		char there[128];

		snprintf(there, sizeof(there), "/sys/bus/pci/devices/%s/vfio-dev/vfio%d", bdf, i);
		if (!access(there, F_OK)) {
			snprintf(path, size, "/dev/vfio/devices/vfio%d", i);
			return;
		}
	}
	give_up("%s has no vfio-dev", bdf);
}

static void do_open(char **words, const char *as)
{
	const struct device *d = words[2] ? find_device(words[2]) : NULL;
	char path[128];

	if (words[2] && !d)
		give_up("%s: no such device", words[2]);
	if (!strcmp(words[1], "container"))
		snprintf(path, sizeof(path), "/dev/vfio/vfio");
	else if (!strcmp(words[1], "iommu"))
		snprintf(path, sizeof(path), "/dev/iommu");
	else if (d && !strcmp(words[1], "group"))
		group_path(d->bdf, path, sizeof(path));
	else if (d)
		cdev_path(d->bdf, path, sizeof(path));
	else
		snprintf(path, sizeof(path), "%s", words[1]);
	tell_fd(open(path, O_RDWR | O_CLOEXEC), as);
}

static void do_close(char **words, const char *as)
{
	struct var *v = find_var(words[1]);

	(void)as;
	tell_result(close(fd_of(words[1])));
	if (v)
		v->value = UINT64_MAX;
}

static void do_eventfd(char **words, const char *as)
{
	(void)words;
	tell_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), as);
}

static void do_memfd(char **words, const char *as)
{
	int fd = memfd_create("abi", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)value_of(words[1]))) {
		close(fd);
		fd = -1;
	}
	tell_fd(fd, as);
}

static void do_poke(char **words, const char *as)
{
	char *at = (char *)(uintptr_t)value_of(words[1]);
	size_t width = (size_t)value_of(words[2]);

	(void)as;
	for (words += 3; *words; words++, at += width) {
		uint64_t value = value_of(*words);

		memcpy(at, &value, width);
	}
	tell("ok");
}

static void do_peek(char **words, const char *as)
{
	const char *at = (const char *)(uintptr_t)value_of(words[1]);
	size_t width = (size_t)value_of(words[2]);

	(void)as;
	for (uint64_t i = 0; i < value_of(words[3]); i++, at += width) {
		uint64_t value = 0;

		memcpy(&value, at, width);
		tell(i ? " " : "");
		tell_number(value);
	}
}

static void do_pread(char **words, const char *as)
{
	int fd = fd_of(words[1]);
	size_t size = (size_t)value_of(words[3]);
	uint8_t buf[64] = { 0 };
	ssize_t n =
		pread(fd, buf, size < sizeof(buf) ? size : sizeof(buf), offset_of(fd, words[2]));

	(void)as;
	tell_result(n);
	for (ssize_t i = 0; i < n; i++)
		tell(" %02x", buf[i]);
}

static void do_read(char **words, const char *as)
{
	uint64_t value = 0;
	ssize_t n = read(fd_of(words[1]), &value, sizeof(value));

	(void)as;
	tell_result(n);
	if (n == sizeof(value))
		tell(": %" PRIu64, value);
}

static void do_pwrite(char **words, const char *as)
{
	int fd = fd_of(words[1]);
	uint8_t buf[MAX_WORDS];
	size_t n = 0;

	(void)as;
	for (char **word = words + 3; *word; word++)
		buf[n++] = (uint8_t)value_of(*word);
	tell_result(pwrite(fd, buf, n, offset_of(fd, words[2])));
}

static void do_mmap(char **words, const char *as)
{
	int fd = fd_of(words[1]), prot = 0;
	const char *how = words[4] ? words[4] : "";
	size_t size = (size_t)value_of(words[3]);
	void *map;

	(void)as;
	prot |= strchr(how, 'r') ? PROT_READ : 0;
	prot |= strchr(how, 'w') ? PROT_WRITE : 0;
	map = mmap(NULL, size, prot, strchr(how, 'p') ? MAP_PRIVATE : MAP_SHARED, fd,
		   offset_of(fd, words[2]));
	tell_result(map == MAP_FAILED ? -1 : 0);
	if (map != MAP_FAILED)
		munmap(map, size);
}

/* ---- rows ---- */

static const struct verb {
	const char *name;
	int words;
	void (*run)(char **words, const char *as);
} verbs[] = {
	{ "open", 2, do_open },	  { "close", 2, do_close }, { "eventfd", 1, do_eventfd },
	{ "memfd", 2, do_memfd }, { "poke", 4, do_poke },   { "peek", 4, do_peek },
	{ "pread", 4, do_pread }, { "read", 2, do_read },   { "pwrite", 4, do_pwrite },
	{ "mmap", 4, do_mmap },
};

static void run_row(char *row)
{
	char *words[MAX_WORDS + 1] = { 0 }, *at;
	const char *as = NULL;
	int n = 0;

	for (char *w = strtok_r(row, " ", &at); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &at))
		words[n++] = w;
	if (!n)
		give_up("a row without a call");
	if (n > 2 && !strcmp(words[n - 2], "as")) {
		as = words[n - 1];
		words[n - 2] = NULL;
		n -= 2;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (!strcmp(words[0], verbs[i].name) && n >= verbs[i].words) {
			verbs[i].run(words, as);
			return;
		}
	}
	if (n < 2)
		give_up("%s: what is to be done?", words[0]);
	do_ioctl(words, as);
}

static void new_state(void)
{
	for (unsigned int i = num_vars; i-- > 0;) {
		if (vars[i].fd && (int)vars[i].value >= 0)
			close((int)vars[i].value);
	}
	num_vars = 0;
	memset(memory, 0, MEMORY);
	memset(scratch, 0, PAGE);
}

/* Return: what stands behind "->" and a blank, or NULL */
static char *result_of(char *line)
{
	char *arrow = strstr(line, "-> ");

	return arrow ? arrow + 3 : NULL;
}

/* Prints the line @row with what comes of it now, and the line @other, if it speaks of the shim. */
static void print_row(const char *row, const char *other, bool shim)
{
	char copy[LINE], *wanted;
	int len;

	snprintf(copy, sizeof(copy), "%s", row);
	wanted = result_of(copy);
	len = (int)(wanted - copy);
	wanted[-3] = 0;
	told[0] = 0;
	run_row(copy);
	if (!other) {
		printf("%.*s%s\n", len, row, told);
	} else if (!shim) {
		printf("%.*s%s\n%s\n", len, row, told, other);
	} else {
		const char *why = strstr(other, "  # ");

		printf("%s\nshim -> %s%s\n", row, told, why ? why : "  # no reason");
	}
}

static bool next_line(FILE *f, char *line)
{
	if (!fgets(line, LINE, f))
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

static void print_rows(FILE *f, bool shim)
{
	char line[LINE], next[LINE];
	bool more = next_line(f, line);

	while (more) {
		bool other;

		more = next_line(f, next);
		other = more && !strncmp(next, "shim ->", 7);
		if (line[0] == '=')
			new_state();
		if (line[0] && line[0] != '#' && line[0] != '=' && result_of(line))
			print_row(line, other ? next : NULL, shim);
		else
			puts(line);
		fflush(stdout);
		if (other)
			more = next_line(f, next);
		memcpy(line, next, sizeof(line));
	}
}

/* ---- start ---- */

static void *pages(size_t size, int prot)
{
	void *map = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		give_up("no memory");
	return map;
}

int main(int argc, char **argv)
{
	bool shim = argc > 1 && !strcmp(argv[1], "--shim");
	FILE *f;

	argv += 1 + shim;
	if (!*argv)
		give_up("usage: abi [--shim] ROWS A=NAME...");
	f = fopen(*argv, "re");
	if (!f)
		give_up("%s: %s", *argv, strerror(errno));
	for (argv++; *argv && num_devices < MAX_DEVICES; argv++) {
		char *bdf = strchr(*argv, '=');

		if (!bdf)
			give_up("%s: no name of a device", *argv);
		*bdf++ = 0;
		devices[num_devices++] = (struct device){ *argv, bdf };
	}
	/* Aligned to its size, because where something can be mapped depends on that. */
	memory = pages(2 * MEMORY, PROT_READ | PROT_WRITE);
	memory += -(uintptr_t)memory % MEMORY;
	scratch = pages(PAGE, PROT_READ | PROT_WRITE);
	readonly = pages(4 * PAGE, PROT_READ);
	hole = pages(PAGE, PROT_NONE);
	argument = pages(3 * PAGE, PROT_READ | PROT_WRITE);
	mprotect(argument + 2 * PAGE, PAGE, PROT_NONE);
	print_rows(f, shim);
	new_state();
	fclose(f);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Run the table of tests in cases.txt on one device.
 *
 *	run-cases CASES DEVICE TARGET
 *
 * TARGET is an address ("model:edu"): the calls go through the library; or a path ("/dev/..."): the
 * calls are open(), ioctl(), pread() and pwrite(). CASES explains its columns itself. Prints each
 * line that does not do as it says; exit code 0 when all do, 1 when not, 2 for a wrong line.
 *
 * Arguments end where readable memory ends, so that reading past one does not go unnoticed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/file.h>
#include <devfd/ioctl.h>
#include <devfd/open.h>

#include "abi/vfio.h"

#define MAX_ARG	   16384u
#define SCRATCH	   64u
#define UNTOUCHED  0xa5
#define NUM_EVENTS 26

static const char *cases;
static unsigned int line_number;

__attribute__((format(printf, 1, 2), noreturn)) static void give_up(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", cases, line_number);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

/* ---- the device ---- */

static struct {
	const char *name;
	struct dfd_device *dev; /* of an address */
	struct dfd_file *file;
	int fd; /* of a path */
} target;

static long negative(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long target_ioctl(unsigned long request, void *arg)
{
	if (target.dev)
		return dfd_file_ioctl(target.file, request, arg);
	return negative(ioctl(target.fd, request, arg));
}

static long target_pread(void *buf, size_t len, uint64_t offset)
{
	if (target.dev)
		return dfd_file_pread(target.file, buf, len, offset);
	return negative(pread(target.fd, buf, len, (off_t)offset));
}

static long target_pwrite(const void *buf, size_t len, uint64_t offset)
{
	if (target.dev)
		return dfd_file_pwrite(target.file, buf, len, offset);
	return negative(pwrite(target.fd, buf, len, (off_t)offset));
}

static void target_close(void)
{
	if (target.dev) {
		dfd_file_free(target.file);
		dfd_device_close(target.dev);
	} else {
		close(target.fd);
	}
	target.dev = NULL;
}

static void target_open(void)
{
	struct dfd_error err;

	if (target.name[0] != '/') {
		if (dfd_open(target.name, &target.dev, &err))
			give_up("%s: %s", target.name, err.text);
		target.file = dfd_file_new(target.dev);
		return;
	}
	target.fd = open(target.name, O_RDWR | O_CLOEXEC);
	if (target.fd < 0)
		give_up("%s: %s", target.name, strerror(errno));
}

/* As new for the next block. What is behind a path outlives its fd, so it is told. */
static void target_renew(void)
{
	int off[2] = { 0, -1 }, none = 0;

	if (!target.dev) {
		target_ioctl(VFIO_DEVICE_SET_IRQ_EVENTFD, off);
		target_ioctl(VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, &none);
		target_ioctl(VFIO_DEVICE_PCI_SET_MSIX_EVENTFDS, &none);
		target_ioctl(VFIO_DEVICE_RESET, NULL);
	}
	target_close();
	target_open();
}

/* ---- things that arguments name ---- */

static int events[NUM_EVENTS]; /* fd + 1, 0 where there is none yet */
static int not_an_eventfd, closed_fd;
static uint8_t *scratch, *wall; /* @wall: the first address that cannot be used */

static void make_things(void)
{
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, (size_t)(9 * page), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + 8 * page, (size_t)page, PROT_NONE))
		give_up("no memory");
	scratch = map;
	wall = map + 8 * page;
	not_an_eventfd = open("/dev/null", O_RDWR | O_CLOEXEC);
	closed_fd = fcntl(not_an_eventfd, F_DUPFD, 400);
	close(closed_fd);
}

static int event(char letter)
{
	int *e = &events[letter - 'a'];

	if (letter < 'a' || letter > 'z')
		give_up("an eventfd is efd.a to efd.z");
	if (!*e)
		*e = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) + 1;
	return *e - 1;
}

static void drop_events(void)
{
	for (int i = 0; i < NUM_EVENTS; i++) {
		if (events[i])
			close(events[i] - 1);
		events[i] = 0;
	}
}

/* How often an eventfd was signalled; waits only where something is expected. */
static long event_count(int fd, bool expected)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t count = 0;

	if (target.dev)
		dfd_device_service(target.dev);
	if (poll(&p, 1, expected ? 60000 : 0) == 1 && read(fd, &count, sizeof(count)) < 0)
		return -errno;
	return (long)count;
}

/* ---- arguments and outputs ---- */

/** struct memory - what a list of tokens spells; @care 0: any value will do */
struct memory {
	uint8_t data[MAX_ARG];
	uint8_t care[MAX_ARG];
	size_t len;
	uint64_t at;	  /* at:OFFSET of pread and pwrite */
	const char *text; /* text:STRING that the call has put into the buffer */
	char event;
};

static const struct {
	const char *name;
	size_t width;
} types[] = { { "u8", 1 }, { "u16", 2 }, { "u32", 4 }, { "s32", 4 }, { "u64", 8 } };

static uint64_t value_of(const char *word)
{
	char *end;
	uint64_t value;

	if (!strncmp(word, "efd.", 4))
		return (uint64_t)event(word[4]);
	if (!strcmp(word, "notefd"))
		return (uint64_t)not_an_eventfd;
	if (!strcmp(word, "closed"))
		return (uint64_t)closed_fd;
	if (!strcmp(word, "buf"))
		return (uintptr_t)scratch;
	if (!strcmp(word, "bad"))
		return (uintptr_t)wall;
	value = (uint64_t)strtoll(word, &end, 0);
	if (errno == ERANGE || *end || end == word)
		value = strtoull(word, &end, 0);
	if (*end || end == word)
		give_up("%s: not a value", word);
	return value;
}

static void add(struct memory *m, size_t width, char *word)
{
	char *times = strchr(word, '*');
	unsigned long count = times ? strtoul(times + 1, NULL, 0) : 1;
	uint64_t value;
	bool care;

	if (times)
		*times = 0;
	care = strcmp(word, "_") != 0;
	value = care ? value_of(word) : 0;
	for (; count; count--) {
		if (m->len + width > MAX_ARG)
			give_up("more than %u bytes", MAX_ARG);
		memcpy(m->data + m->len, &value, width);
		memset(m->care + m->len, care, width);
		m->len += width;
	}
}

static void add_token(struct memory *m, char *token)
{
	char *word = strchr(token, ':');

	if (!word)
		give_up("%s: not type:value", token);
	*word++ = 0;
	if (!strcmp(token, "at")) {
		m->at = value_of(word);
	} else if (!strcmp(token, "text")) {
		m->text = word;
	} else if (!strcmp(token, "event")) {
		m->event = *word;
	} else {
		size_t i = 0;

		while (i < sizeof(types) / sizeof(*types) && strcmp(types[i].name, token) != 0)
			i++;
		if (i == sizeof(types) / sizeof(*types))
			give_up("%s: not a type", token);
		add(m, types[i].width, word);
	}
}

static void parse(struct memory *m, char *tokens)
{
	char *rest = NULL;

	memset(m, 0, sizeof(*m));
	for (char *t = strtok_r(tokens, " \t", &rest); t; t = strtok_r(NULL, " \t", &rest))
		add_token(m, t);
}

/* ---- results ---- */

static const struct {
	const char *name;
	int value;
} errnos[] = {
	{ "EINVAL", EINVAL }, { "EFAULT", EFAULT }, { "ENOTTY", ENOTTY },
	{ "ENOENT", ENOENT }, { "ENOSPC", ENOSPC }, { "EBADF", EBADF },
	{ "EIO", EIO },	      { "ENODEV", ENODEV }, { "EOPNOTSUPP", EOPNOTSUPP },
};

static long result_of(const char *word)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(*errnos); i++) {
		if (!strcmp(errnos[i].name, word))
			return -errnos[i].value;
	}
	return (long)value_of(word);
}

static const char *result_name(long result)
{
	static char number[24];

	for (size_t i = 0; i < sizeof(errnos) / sizeof(*errnos); i++) {
		if (result == -errnos[i].value)
			return errnos[i].name;
	}
	snprintf(number, sizeof(number), "%ld", result);
	return number;
}

/* ---- calls ---- */

#define CALL(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	unsigned long request;
} requests[] = {
	CALL(VFIO_DEVICE_GET_FLAGS),
	CALL(VFIO_DEVICE_GET_NUM_REGIONS),
	CALL(VFIO_DEVICE_GET_REGION_LEN),
	CALL(VFIO_DEVICE_GET_REGION_FLAGS),
	CALL(VFIO_DEVICE_GET_REGION_OFFSET),
	CALL(VFIO_DEVICE_GET_REGION_PHYS_ADDR),
	CALL(VFIO_DEVICE_GET_NUM_IRQS),
	CALL(VFIO_DEVICE_SET_IRQ_EVENTFD),
	CALL(VFIO_DEVICE_UNMASK_IRQ),
	CALL(VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD),
	CALL(VFIO_DEVICE_GET_DTPATH),
	CALL(VFIO_DEVICE_GET_DTINDEX),
	CALL(VFIO_DEVICE_RESET),
	CALL(VFIO_DEVICE_PCI_RESET),
	CALL(VFIO_DEVICE_PCI_SET_MSI_EVENTFDS),
	CALL(VFIO_DEVICE_PCI_SET_MSIX_EVENTFDS),
	CALL(VFIO_DEVICE_CHECK_EXTENSION),
	CALL(VFIO_DEVICE_GET_INFO),
	CALL(VFIO_DEVICE_GET_REGION_INFO),
	CALL(VFIO_DEVICE_GET_IRQ_INFO),
	CALL(VFIO_DEVICE_SET_IRQS),
	CALL(VFIO_DEVICE_FEATURE),
};

static unsigned long request_of(const char *name)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		if (!strcmp(requests[i].name, name))
			return requests[i].request;
	}
	return (unsigned long)value_of(name);
}

/* One call with the argument at @arg. */
static long call(const char *name, const struct memory *given, void *arg, long expected)
{
	const uint64_t one = 1;

	if (!strcmp(name, "pread"))
		return target_pread(arg, given->len, given->at);
	if (!strcmp(name, "pwrite"))
		return target_pwrite(arg, given->len, given->at);
	if (!strcmp(name, "signalled"))
		return event_count(event(given->event), expected != 0);
	if (!strcmp(name, "signal"))
		return negative(write(event(given->event), &one, sizeof(one)));
	return target_ioctl(request_of(name), arg);
}

/* ---- lines ---- */

enum column { DEVICES, NAME, ARGUMENT, RESULT, OUTPUT, NUM_COLUMNS };

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	return s;
}

static bool scratch_is(const char *text)
{
	size_t len = text ? strlen(text) + 1 : 0;

	if (len && memcmp(scratch, text, len) != 0)
		return false;
	for (size_t i = len; i < SCRATCH; i++) {
		if (scratch[i] != UNTOUCHED)
			return false;
	}
	return true;
}

static bool same(const uint8_t *arg, const struct memory *m)
{
	for (size_t i = 0; i < m->len; i++) {
		if (m->care[i] && arg[i] != m->data[i])
			return false;
	}
	return true;
}

static bool wrong(const char *what, char *const columns[], const char *name, const char *is)
{
	printf("%s:%u: %s %s(%s): %s %s\n", cases, line_number, target.name, name,
	       columns[ARGUMENT], what, is);
	return false;
}

static bool run_line(char *columns[NUM_COLUMNS])
{
	static struct memory given, wanted;
	char text[4096];
	long expected = result_of(columns[RESULT]), result;
	uint8_t *arg;

	snprintf(text, sizeof(text), "%s", columns[ARGUMENT]);
	parse(&given, !strcmp(text, "none") || !strcmp(text, "bad") ? text + strlen(text) : text);
	arg = wall - given.len;
	memcpy(arg, given.data, given.len);
	memset(scratch, UNTOUCHED, SCRATCH);
	if (!strcmp(columns[ARGUMENT], "none"))
		arg = NULL;
	result = call(columns[NAME], &given, arg, expected);
	if (result != expected)
		return wrong("answers", columns, columns[NAME], result_name(result));
	if (!strcmp(columns[OUTPUT], "=")) {
		wanted = given;
		memset(wanted.care, 1, wanted.len);
	} else {
		parse(&wanted, columns[OUTPUT]);
	}
	if (wanted.len != given.len)
		give_up("the output has %zu bytes, the argument %zu", wanted.len, given.len);
	if (!same(arg, &wanted))
		return wrong("leaves", columns, columns[NAME], "another output");
	if (!scratch_is(wanted.text))
		return wrong("leaves", columns, columns[NAME], "another buffer");
	return true;
}

/* A name may end in the way that it is for. */
static bool is_for(const char *devices, const char *device)
{
	const char *way = target.name[0] == '/' ? "@fd" : "@library";
	size_t len = strlen(device), way_len = strlen(way);

	for (const char *at = devices; (at = strstr(at, device)); at += len) {
		const char *end = at + len;

		if (!strncmp(end, way, way_len))
			end += way_len;
		if ((at == devices || at[-1] == ' ') && (!*end || *end == ' '))
			return true;
	}
	return false;
}

static void split(char *line, char *columns[NUM_COLUMNS])
{
	char *rest = line;

	for (int i = 0; i < NUM_COLUMNS; i++) {
		char *column = strsep(&rest, "|");

		if (!column)
			give_up("a line has %d columns", NUM_COLUMNS);
		columns[i] = trim(column);
	}
}

int main(int argc, char **argv)
{
	unsigned int run = 0, failed = 0;
	char *columns[NUM_COLUMNS], line[4096];
	FILE *f;

	if (argc != 4) {
		fprintf(stderr, "usage: run-cases CASES DEVICE TARGET\n");
		return 2;
	}
	cases = argv[1];
	target.name = argv[3];
	f = fopen(cases, "re");
	if (!f)
		give_up("%s", strerror(errno));
	make_things();
	target_open();
	while (fgets(line, sizeof(line), f)) {
		char *text = trim(line);

		line_number++;
		if (*text == '#')
			continue;
		if (!*text) {
			drop_events();
			target_renew();
			continue;
		}
		split(text, columns);
		if (!is_for(columns[DEVICES], argv[2]))
			continue;
		run++;
		failed += !run_line(columns);
	}
	drop_events();
	target_close();
	fclose(f);
	printf("%s: %u cases, %u failed\n", target.name, run, failed);
	return failed || !run;
}

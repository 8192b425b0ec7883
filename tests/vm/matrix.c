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
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define PAGE	  4096u
#define MAX_LINES 512
#define WAIT_MS	  2000
#define NONE	  "none"

static struct dfd_device *dev;
static const char *address;
static uint8_t memory[4 * PAGE] __attribute__((aligned(4096)));

static const char *result(int64_t ret)
{
	static char text[32];

	if (ret < 0)
		return strerrorname_np((int)-ret);
	if (!ret)
		return "ok";
	snprintf(text, sizeof(text), "%" PRId64, ret);
	return text;
}

/* ---- opening and describing ---- */

static const char *again(void)
{
	struct dfd_device *other = NULL;
	int ret = dfd_open(address, &other, NULL);

	dfd_device_close(other);
	return result(ret);
}

static const char *reopen(void)
{
	dfd_device_close(dev);
	dev = NULL;
	return result(dfd_open(address, &dev, NULL));
}

static const char *describe(void)
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count; i++) {
		if (!r[i].size || r[i].offset != (r[i].index + UINT64_C(1)) << DFD_REGION_SHIFT)
			return "bad region";
	}
	return count ? "ok" : "no region";
}

/* Table and both generations of ioctls say the same. */
static const char *views(void)
{
	struct dfd_file *file = dfd_file_new(dev);
	struct dfd_view v[DFD_NUM_VIEWS] = { 0 };
	struct dfd_view_report report = { 0 };
	int ret = file ? 0 : -ENOMEM;

	for (int i = 0; i < DFD_NUM_VIEWS && !ret; i++)
		ret = dfd_view_get((enum dfd_view_kind)i, &dfd_fd_file, file, &v[i], NULL);
	if (!ret)
		ret = dfd_view_compare(v, NULL, NULL, NULL, &report);
	for (int i = 0; i < DFD_NUM_VIEWS; i++)
		dfd_desc_unref(v[i].desc);
	dfd_file_free(file);
	return report.differences ? "differ" : result(ret);
}

/* ---- regions ---- */

/* Calls @one for each region; the first answer that is no success, or the last. */
static const char *each_region(const char *(*one)(const struct dfd_region *r))
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);
	const char *told = NONE;

	for (uint32_t i = 0; i < count; i++) {
		const char *answer = one(&r[i]);

		if (strcmp(answer, NONE) != 0)
			told = answer;
		if (strcmp(answer, "ok") != 0 && strcmp(answer, NONE) != 0)
			break;
	}
	return told;
}

static const char *read_one(const struct dfd_region *r)
{
	uint32_t value;
	ssize_t n = dfd_region_read(dev, r->index, 0, &value, r->size < 4 ? 1 : 4);

	return n == (r->size < 4 ? 1 : 4) ? "ok" : result(n);
}

static const char *past_one(const struct dfd_region *r)
{
	uint32_t value;

	return dfd_region_read(dev, r->index, r->size, &value, 4) == -EINVAL ? "ok" : "no EINVAL";
}

static const char *short_one(const struct dfd_region *r)
{
	uint64_t value;

	if (r->size < 8)
		return NONE;
	return dfd_region_read(dev, r->index, r->size - 4, &value, 8) == 4 ? "ok" : "not 4";
}

static const char *map_one(const struct dfd_region *r)
{
	uint64_t offset = r->num_areas ? r->areas[0].offset : 0;
	uint32_t seen, read_back = 0;
	void *addr;
	int ret;

	if (!(r->flags & DFD_REGION_MAPPABLE))
		return dfd_region_mmap(dev, r->index, 0, PAGE, PROT_READ, &addr) == -EINVAL
			       ? NONE
			       : "mapped";
	ret = dfd_region_mmap(dev, r->index, offset, PAGE, PROT_READ, &addr);
	if (ret)
		return result(ret);
	memcpy(&seen, addr, sizeof(seen));
	munmap(addr, PAGE);
	dfd_region_read(dev, r->index, offset, &read_back, sizeof(read_back));
	return seen == read_back ? "ok" : "other bytes";
}

static const char *readonly_one(const struct dfd_region *r)
{
	uint8_t byte = 0;

	if (!(r->flags & DFD_REGION_READ_ONLY))
		return NONE;
	return dfd_region_write(dev, r->index, 0, &byte, 1) == -EINVAL ? "ok" : "no EINVAL";
}

static const char *read_regions(void)
{
	return each_region(read_one);
}

static const char *read_past(void)
{
	return each_region(past_one);
}

static const char *read_short(void)
{
	return each_region(short_one);
}

static const char *map_regions(void)
{
	return each_region(map_one);
}

static const char *write_readonly(void)
{
	return each_region(readonly_one);
}

static const char *absent_region(void)
{
	uint8_t byte;

	return result(dfd_region_read(dev, 900, 0, &byte, 1));
}

/* ---- interrupts ---- */

static int set(uint32_t flags, uint32_t index, uint32_t count, int fd)
{
	const int32_t fds[] = { fd };

	return dfd_set_irqs(dev,
			    &(struct dfd_irq_set){
				    .flags = flags, .index = index, .count = count, .fds = fds });
}

#define ROUTE	 (DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER)
#define LOOPBACK (DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER)

static bool came(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint64_t count;

	for (int ms = 0; ms < WAIT_MS; ms += 10) {
		dfd_device_service(dev);
		if (poll(&wait, 1, 10) == 1)
			return read(fd, &count, sizeof(count)) == sizeof(count);
	}
	return false;
}

/* Route it, trigger it by hand, switch it off. */
static const char *irq(uint32_t index)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ret;
	const char *answer = "ok";

	if (!dfd_desc_vectors(dfd_device_desc(dev), index)) {
		close(fd);
		return NONE;
	}
	ret = set(ROUTE, index, 1, fd);
	if (!ret)
		ret = set(LOOPBACK, index, 1, -1);
	if (ret)
		answer = result(ret);
	else if (!came(fd))
		answer = "nothing came";
	ret = set(LOOPBACK, index, 0, -1);
	close(fd);
	return ret && !strcmp(answer, "ok") ? "not off" : answer;
}

static bool is_pci(void)
{
	return dfd_desc_bus(dfd_device_desc(dev)) == DFD_BUS_PCI;
}

static const char *irq_wired(void)
{
	return irq(0);
}

static const char *irq_msi(void)
{
	return is_pci() ? irq(DFD_PCI_MSI) : NONE;
}

static const char *irq_msix(void)
{
	return is_pci() ? irq(DFD_PCI_MSIX) : NONE;
}

static const char *irq_err(void)
{
	return is_pci() ? irq(DFD_PCI_ERR) : NONE;
}

static const char *irq_req(void)
{
	return is_pci() ? irq(DFD_PCI_REQ) : NONE;
}

/* Masked on delivery, and again after it was unmasked by an eventfd. */
static const char *irq_resample(void)
{
	const struct dfd_irq *wired = dfd_desc_irq(dfd_device_desc(dev), 0);
	int fd, unmask, ret;

	if (!wired || !(wired->flags & DFD_IRQ_LEVEL))
		return NONE;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unmask = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = set(ROUTE, 0, 1, fd);
	if (!ret)
		ret = set(DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_UNMASK, 0, 1, unmask);
	if (!ret)
		ret = set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_MASK, 0, 1, -1);
	if (!ret)
		ret = set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK, 0, 1, -1);
	set(LOOPBACK, 0, 0, -1);
	close(fd);
	close(unmask);
	return result(ret);
}

static const char *irq_two_kinds(void)
{
	int fd = eventfd(0, EFD_CLOEXEC), ret;

	if (!is_pci() || !dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_MSI) ||
	    !dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_INTX) || set(ROUTE, 0, 1, fd)) {
		close(fd);
		return NONE;
	}
	ret = set(ROUTE, DFD_PCI_MSI, 1, fd);
	set(LOOPBACK, 0, 0, -1);
	close(fd);
	return result(ret);
}

static const char *irq_bad_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), ret;

	if (!dfd_desc_vectors(dfd_device_desc(dev), 0)) {
		close(fd);
		return NONE;
	}
	ret = set(ROUTE, 0, 1, fd);
	if (!ret)
		set(LOOPBACK, 0, 0, -1);
	close(fd);
	return result(ret);
}

static const char *irq_bad_index(void)
{
	return result(set(LOOPBACK, 900, 1, -1));
}

static const char *irq_two_actions(void)
{
	return result(set(LOOPBACK | DFD_IRQ_ACTION_MASK, 0, 1, -1));
}

/* ---- DMA ---- */

static bool has_dma(void)
{
	return dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA);
}

static int map(uint64_t iova, uint64_t size, uint32_t prot, void *addr)
{
	struct dfd_dma_map m = { .iova = iova, .size = size, .prot = prot, .addr = addr };

	return dfd_dma_map(dev, &m);
}

static int unmap(uint64_t iova, uint64_t size)
{
	uint64_t unmapped;
	int ret = dfd_dma_unmap(dev, iova, size, &unmapped);

	return ret ? ret : (int)unmapped;
}

static const char *dma(uint64_t iova, uint64_t size, uint32_t prot, void *addr)
{
	int ret = has_dma() ? map(iova, size, prot, addr) : -EOPNOTSUPP;

	if (!ret)
		unmap(0, UINT64_MAX);
	return ret == -EOPNOTSUPP && !has_dma() ? "no DMA" : result(ret);
}

static const char *dma_any(void)
{
	return dma(DFD_IOVA_ANY, PAGE, DFD_DMA_READ | DFD_DMA_WRITE, memory);
}

static const char *dma_fixed(void)
{
	return dma(0x100000, 2 * PAGE, DFD_DMA_READ | DFD_DMA_WRITE, memory);
}

static const char *dma_read_only(void)
{
	return dma(0x100000, PAGE, DFD_DMA_READ, memory);
}

static const char *dma_write_only(void)
{
	return dma(0x100000, PAGE, DFD_DMA_WRITE, memory);
}

static const char *dma_nothing(void)
{
	return result(map(0x100000, 0, DFD_DMA_READ, memory));
}

static const char *dma_wraps(void)
{
	return result(map(UINT64_MAX - PAGE + 1, 2 * PAGE, DFD_DMA_READ, memory));
}

static const char *dma_unaligned(void)
{
	return dma(0x100000, 100, DFD_DMA_READ, memory);
}

/* Between two ranges, such as where interrupt messages go, no memory can be. */
static const char *dma_reserved(void)
{
	struct dfd_dma_limits l;

	if (dfd_dma_limits(dev, &l) || l.num_ranges < 2)
		return NONE;
	return dma(l.ranges[0].last + 1, PAGE, DFD_DMA_READ, memory);
}

/* Registers of a device are no memory for DMA. */
static const char *dma_registers(void)
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count && has_dma(); i++) {
		uint64_t at = r[i].num_areas ? r[i].areas[0].offset : 0;
		const char *answer;
		void *addr;

		if (dfd_region_mmap(dev, r[i].index, at, PAGE, PROT_READ | PROT_WRITE, &addr))
			continue;
		answer = dma(0x100000, PAGE, DFD_DMA_READ | DFD_DMA_WRITE, addr);
		munmap(addr, PAGE);
		return answer;
	}
	return NONE;
}

static const char *dma_file(void)
{
	struct dfd_dma_buf buf;
	int ret = dfd_dma_alloc(dev, PAGE, 0, &buf);

	if (!ret)
		dfd_dma_free(dev, &buf);
	return result(ret);
}

static const char *dma_bad_file(void)
{
	struct dfd_dma_map m = { .iova = DFD_IOVA_ANY,
				 .size = PAGE,
				 .prot = DFD_DMA_READ,
				 .kind = DFD_DMA_FD,
				 .fd = 900 };

	return has_dma() ? result(dfd_dma_map(dev, &m)) : "no DMA";
}

static const char *dma_overlap(void)
{
	int ret = map(0x100000, 2 * PAGE, DFD_DMA_READ, memory);

	if (ret)
		return result(ret);
	ret = map(0x101000, PAGE, DFD_DMA_READ, memory);
	unmap(0, UINT64_MAX);
	return result(ret);
}

static const char *dma_bisect(void)
{
	int ret = map(0x100000, 2 * PAGE, DFD_DMA_READ, memory);

	if (ret)
		return result(ret);
	ret = unmap(0x101000, PAGE);
	unmap(0, UINT64_MAX);
	return result(ret);
}

static const char *dma_unmap_nothing(void)
{
	return has_dma() ? result(unmap(0x100000, PAGE)) : "no DMA";
}

static const char *dma_unmap_all(void)
{
	int ret = map(0x100000, PAGE, DFD_DMA_READ, memory);

	if (!ret)
		ret = map(0x104000, PAGE, DFD_DMA_READ, memory);
	return result(ret ? ret : unmap(0, UINT64_MAX));
}

static const char *dma_many(void)
{
	int ret = 0;

	for (uint64_t i = 0; i < 1000 && !ret; i++)
		ret = map(0x100000 + 2 * i * PAGE, PAGE, DFD_DMA_READ, memory);
	return result(ret ? ret : unmap(0, UINT64_MAX));
}

/* What a device has mapped goes with it. */
static const char *dma_after_close(void)
{
	int ret = map(0x100000, PAGE, DFD_DMA_READ, memory);

	if (ret)
		return result(ret);
	reopen();
	return dev ? dma_fixed() : "cannot be opened again";
}

/* ---- the rest ---- */

static const char *reset(void)
{
	if (!(dfd_desc_flags(dfd_device_desc(dev)) & DFD_DEVICE_RESET))
		return dfd_device_reset(dev) == -EINVAL ? NONE : "no EINVAL";
	return result(dfd_device_reset(dev));
}

static const char *hot_reset(void)
{
	struct dfd_hot_reset *r = NULL;
	int ret = dfd_hot_reset_info(dev, &r, NULL);

	free(r);
	return ret == -ENODEV || ret == -ENOTTY ? NONE : result(ret);
}

static const char *feature_unknown(void)
{
	return result(dfd_device_feature(dev, 999 | DFD_FEATURE_GET | DFD_FEATURE_PROBE, NULL, 0));
}

static const char *master_off(void)
{
	uint16_t command = 0;

	if (!is_pci())
		return NONE;
	if (dfd_region_read(dev, DFD_PCI_CONFIG, 4, &command, 2) != 2)
		return "cannot be read";
	return command & 4 ? "on" : "ok";
}

/* ---- the cases ---- */

static const struct test {
	const char *name;
	const char *expected;
	const char *(*run)(void);
} tests[] = {
	{ "describe", "ok", describe },
	{ "views", "ok", views },
	{ "master-off", "ok", master_off },
	{ "open-again", "EBUSY", again },
	{ "read-regions", "ok", read_regions },
	{ "read-past-end", "ok", read_past },
	{ "read-short", "ok", read_short },
	{ "read-absent", "EINVAL", absent_region },
	{ "write-read-only", "ok", write_readonly },
	{ "map-regions", "ok", map_regions },
	{ "irq-wired", "ok", irq_wired },
	{ "irq-msi", "ok", irq_msi },
	{ "irq-msix", "ok", irq_msix },
	{ "irq-err", "ok", irq_err },
	{ "irq-req", "ok", irq_req },
	{ "irq-resample", "ok", irq_resample },
	{ "irq-two-kinds", "EINVAL", irq_two_kinds },
	{ "irq-bad-fd", "EINVAL", irq_bad_fd },
	{ "irq-bad-index", "EINVAL", irq_bad_index },
	{ "irq-two-actions", "EINVAL", irq_two_actions },
	{ "dma-any", "ok", dma_any },
	{ "dma-fixed", "ok", dma_fixed },
	{ "dma-read-only", "ok", dma_read_only },
	{ "dma-write-only", "ok", dma_write_only },
	{ "dma-nothing", "EINVAL", dma_nothing },
	{ "dma-wraps", "EOVERFLOW", dma_wraps },
	{ "dma-unaligned", "EINVAL", dma_unaligned },
	{ "dma-reserved", "EINVAL", dma_reserved },
	{ "dma-registers", "EFAULT", dma_registers },
	{ "dma-file", "ok", dma_file },
	{ "dma-bad-file", "EBADF", dma_bad_file },
	{ "dma-overlap", "EEXIST", dma_overlap },
	{ "dma-bisect", "EINVAL", dma_bisect },
	{ "dma-unmap-nothing", "ok", dma_unmap_nothing },
	{ "dma-unmap-all", "8192", dma_unmap_all },
	{ "dma-many", "4096000", dma_many },
	{ "dma-after-close", "ok", dma_after_close },
	{ "reset", "ok", reset },
	{ "hot-reset-info", "ok", hot_reset },
	{ "feature-unknown", "ENOTTY", feature_unknown },
	{ "reopen", "ok", reopen },
};
#define NUM_TESTS (sizeof(tests) / sizeof(*tests))

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

static int run_source(const char *source)
{
	struct dfd_error err;
	int failed = 0;

	if (dfd_open(address, &dev, &err))
		fail(err.text, source);
	for (size_t i = 0; i < NUM_TESTS; i++)
		failed += run_case(&tests[i], source);
	dfd_device_close(dev);
	return failed + unused(source);
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 3)
		fail("usage: vm-matrix DIFFERENCES SOURCE=ADDRESS...", "arguments");
	read_lines(argv[1]);
	for (int n = 2; n < argc; n++) {
		char *equals = strchr(argv[n], '=');

		if (!equals)
			fail("is not SOURCE=ADDRESS", argv[n]);
		*equals = '\0';
		address = equals + 1;
		failed += run_source(argv[n]);
	}
	printf("%zu cases over %d sources, %d failures\n", NUM_TESTS, argc - 2, failed);
	return failed != 0;
}

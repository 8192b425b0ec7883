/* SPDX-License-Identifier: MIT */
/* What an open device can do beyond its description: features, reset with its neighbours, DMA. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/display.h>
#include <devfd/feature.h>
#include <devfd/iommu.h>
#include <devfd/print.h>
#include <devfd/reset.h>

#include "print/plain.h"
#include "print/roles.h"

#define FEW_PAGES 4

/** struct feature_matrix - the directions of each number */
struct feature_matrix {
	uint32_t directions[DFD_FEATURE_LIMIT];
	uint32_t count;
};

static int note_feature(void *ctx, uint32_t number, uint32_t directions)
{
	struct feature_matrix *m = ctx;

	m->directions[number] = directions;
	m->count++;
	return 0;
}

static void print_feature(FILE *out, uint32_t number, uint32_t directions)
{
	const char *name = dfd_feature_name(number);

	fprintf(out, "    %2" PRIu32 " %-28s%s%s%s\n", number, name ? name : "unknown",
		!directions		       ? "-"
		: directions & DFD_FEATURE_GET ? "get"
					       : "",
		directions == (DFD_FEATURE_GET | DFD_FEATURE_SET) ? ", " : "",
		directions & DFD_FEATURE_SET ? "set" : "");
}

static char sign(uint32_t flags, uint32_t flag)
{
	return flags & flag ? '+' : '-';
}

static void print_irqs(FILE *out, struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	const char *label = "interrupts";
	uint32_t count, flags;

	for (uint32_t i = 0; i < dfd_desc_irq_limit(desc); i++) {
		char buf[32];
		const char *role = dfd_irq_role(buf, sizeof(buf), desc, i);

		count = dfd_desc_vectors(desc, i);
		if (!count || dfd_irq_flags(dev, i, &flags))
			continue;
		fprintf(out, "  %-12s%-6s %4" PRIu32 "  evfd%c mask%c auto%c noresize%c\n", label,
			role ? role : "-", count, sign(flags, DFD_IRQ_HAS_EVENTFD),
			sign(flags, DFD_IRQ_HAS_MASK), sign(flags, DFD_IRQ_AUTOMASKS),
			sign(flags, DFD_IRQ_NORESIZE));
		label = "";
	}
}

static void print_hot_reset(FILE *out, struct dfd_device *dev)
{
	struct dfd_hot_reset *r;
	char plain[DFD_PLAIN_SIZE];

	if (dfd_hot_reset_info(dev, &r, NULL))
		return;
	fprintf(out, "  hot reset   %s%s\n",
		r->possible ? "possible" : "not now: ", dfd_plain(plain, sizeof(plain), r->why));
	for (uint32_t i = 0; i < r->count; i++) {
		const struct dfd_reset_device *d = &r->devices[i];
		const char *driver = dfd_plain(plain, sizeof(plain), d->driver);

		fprintf(out, "    %s  %s", d->name, *driver ? driver : "no driver");
		if (d->group >= 0)
			fprintf(out, "  IOMMU group %" PRId32, d->group);
		fprintf(out, "%s\n", d->ours ? "" : "  not ours");
	}
	free(r);
}

/* Some IOMMUs have every size from the smallest one up. */
static void print_page_sizes(FILE *out, uint64_t sizes)
{
	const char *between = "pages of ";
	char size[16];

	if (__builtin_popcountll(sizes) > FEW_PAGES) {
		fprintf(out, "pages of %s and more",
			dfd_print_size(size, sizeof(size), sizes & -sizes));
		return;
	}
	for (; sizes; sizes &= sizes - 1, between = ", ")
		fprintf(out, "%s%s", between, dfd_print_size(size, sizeof(size), sizes & -sizes));
}

static void print_memlock(FILE *out, const struct dfd_dma_limits *l)
{
	char size[16];

	fprintf(out, "; memlock of this %s ", l->lockable_by_user ? "user" : "process");
	if (l->locked != UINT64_MAX)
		fprintf(out, "%s used of ", dfd_print_size(size, sizeof(size), l->locked));
	if (l->lockable == UINT64_MAX)
		fputs("any", out);
	else
		fputs(dfd_print_size(size, sizeof(size), l->lockable), out);
}

static void print_dma(FILE *out, struct dfd_device *dev)
{
	struct dfd_dma_limits l;

	if (dfd_dma_limits(dev, &l))
		return;
	fprintf(out, "  DMA         ");
	print_page_sizes(out, l.page_sizes);
	if (l.maps_left != UINT64_MAX)
		fprintf(out, "; %" PRIu64 " more maps", l.maps_left);
	print_memlock(out, &l);
	fputc('\n', out);
	for (uint32_t i = 0; i < l.num_ranges; i++)
		fprintf(out, "    0x%" PRIx64 "-0x%" PRIx64 "\n", l.ranges[i].start,
			l.ranges[i].last);
}

/* "XR24" of a fourcc; a byte that is no character is a question mark. */
static const char *fourcc(uint32_t format, char text[5])
{
	for (int i = 0; i < 4; i++) {
		char c = (char)(format >> 8 * i & 0x7f);

		text[i] = c >= ' ' && c < 0x7f ? c : '?';
	}
	text[4] = '\0';
	return text;
}

static void print_planes(FILE *out, struct dfd_device *dev)
{
	enum dfd_plane_way way = DFD_PLANE_DMABUF;
	struct dfd_plane p;
	char format[5];
	int ret;

	if (dfd_plane_probe(dev, way)) {
		way = DFD_PLANE_REGION;
		if (dfd_plane_probe(dev, way))
			return;
	}
	fprintf(out, "  %-12s%s", "display", way == DFD_PLANE_DMABUF ? "by dma-buf" : "by region");
	ret = dfd_plane_get(dev, way, DFD_PLANE_PRIMARY, &p);
	if (ret)
		fprintf(out, ", which cannot be asked: %s\n", strerror(-ret));
	else if (!p.width)
		fprintf(out, ", off\n");
	else
		fprintf(out, ", %" PRIu32 "x%" PRIu32 " %s, %" PRIu32 " bytes a line\n", p.width,
			p.height, fourcc(p.format, format), p.stride);
}

int dfd_print_features(FILE *out, struct dfd_device *dev)
{
	struct feature_matrix m = { 0 };

	dfd_feature_probe(dev, note_feature, &m);
	fprintf(out, "  features%s\n", m.count ? "" : "    none");
	for (uint32_t n = 0; m.count && n < DFD_FEATURE_LIMIT; n++) {
		if (n < DFD_NUM_FEATURES || m.directions[n])
			print_feature(out, n, m.directions[n]);
	}
	return ferror(out) ? -EIO : 0;
}

int dfd_print_abilities(FILE *out, struct dfd_device *dev)
{
	print_irqs(out, dev);
	print_planes(out, dev);
	print_hot_reset(out, dev);
	print_dma(out, dev);
	return ferror(out) ? -EIO : 0;
}

/* SPDX-License-Identifier: MIT */
/* What a user learns through today's VFIO. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/vfio.h"
#include "desc/fact.h"
#include "ioctl/info.h"
#include "ioctl/view.h"

#define TOPICS                                                                                     \
	(TOPIC(LAYOUT) | TOPIC(EXTRA_REGION) | TOPIC(IRQ_TRIGGER) | TOPIC(AREAS) | TOPIC(CAPS) |   \
	 TOPIC(MESSAGE_IRQ) | TOPIC(NOTIFY_IRQ))

/** struct caps - a chain taken apart; bodies stay in the struct dfd_info */
struct caps {
	struct dfd_area areas[DFD_MAX_AREAS];
	struct dfd_cap caps[DFD_MAX_CAPS];
	uint32_t num_areas, num_caps;
	bool sparse;
};

/* ---- chains ---- */

static int take_areas(const uint8_t *body, uint32_t len, struct caps *caps)
{
	const uint32_t head = sizeof(struct vfio_region_info_cap_sparse_mmap) -
			      sizeof(struct vfio_info_cap_header);
	uint32_t count = len < head ? UINT32_MAX : dfd_info_get32(body);

	if (caps->sparse || count > DFD_MAX_AREAS || len - head < count * sizeof(*caps->areas))
		return -EBADMSG;
	memcpy(caps->areas, body + head, count * sizeof(*caps->areas));
	caps->num_areas = count;
	caps->sparse = true;
	return 0;
}

static int take_chain(const struct dfd_info *info, uint32_t offset, uint32_t start, bool region,
		      struct caps *caps)
{
	struct dfd_info_cap cap = { .next = offset, .end = start };
	int ret;

	while ((ret = dfd_info_next_cap(info, &cap)) > 0) {
		if (region && cap.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			ret = take_areas(cap.body, cap.len, caps);
		else if (caps->num_caps == DFD_MAX_CAPS)
			ret = -EBADMSG;
		else
			caps->caps[caps->num_caps++] =
				(struct dfd_cap){ cap.id, cap.version, cap.len, cap.body };
		if (ret < 0)
			break;
	}
	return ret;
}

/* ---- regions ---- */

static uint32_t region_flags(const struct vfio_region_info *info, const struct caps *caps,
			     const struct dfd_view_config *config)
{
	uint32_t flags = 0;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_WRITE))
		flags |= DFD_REGION_READ_ONLY;
	/* An empty list of areas: nothing can be mapped after all. */
	if ((info->flags & VFIO_REGION_INFO_FLAG_MMAP) && !(caps->sparse && !caps->num_areas))
		flags |= DFD_REGION_MAPPABLE;
	if (config->readable && info->index <= VFIO_PCI_BAR5_REGION_INDEX &&
	    (config->bytes[0x10 + 4 * info->index] & 1))
		flags |= DFD_REGION_IOPORT;
	return flags;
}

static int add_region(struct dfd_asker *a, struct dfd_desc_builder *b, const struct dfd_info *info,
		      uint32_t index, bool pci, struct dfd_view_config *config)
{
	struct vfio_region_info r;
	struct caps caps = { 0 };

	memcpy(&r, info->buf, sizeof(r));
	if (!r.size)
		return 0;
	if (r.index != index)
		return -EBADMSG;
	if (!(r.flags & VFIO_REGION_INFO_FLAG_CAPS))
		r.cap_offset = 0;
	if (take_chain(info, r.cap_offset, sizeof(r), true, &caps))
		return -EBADMSG;
	if (pci && index == VFIO_PCI_CONFIG_REGION_INDEX)
		dfd_view_config_read(a, r.offset, r.size, config);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = index,
						     .flags = region_flags(&r, &caps, config),
						     .size = r.size,
						     .offset = r.offset,
						     .areas = caps.areas,
						     .num_areas = caps.num_areas,
						     .caps = caps.caps,
						     .num_caps = caps.num_caps });
	return 0;
}

static int view_region(struct dfd_asker *a, struct dfd_desc_builder *b, uint32_t index, bool pci,
		       struct dfd_view_config *config)
{
	const struct vfio_region_info head = { .argsz = sizeof(head), .index = index };
	struct dfd_info info = { 0 };
	int ret = dfd_ask_info(a, VFIO_DEVICE_GET_REGION_INFO, &head, sizeof(head),
			       VFIO_REGION_INFO_FLAG_CAPS, &info);

	/* num_regions of a PCI function is not a promise beyond the fixed ones. */
	if (ret == -EINVAL && pci && index > VFIO_PCI_CONFIG_REGION_INDEX)
		ret = 0;
	else if (!ret)
		ret = add_region(a, b, &info, index, pci, config);
	free(info.buf);
	return ret ? dfd_ask_failed(a, ret, "region", index) : 0;
}

/* ---- interrupts ---- */

static void add_irq(struct dfd_desc_builder *b, const struct vfio_irq_info *info, bool pci)
{
	static const enum dfd_fact messages[] = { DFD_FACT_MSI_VECTORS, DFD_FACT_MSIX_VECTORS,
						  DFD_FACT_ERR_VECTORS, DFD_FACT_REQ_VECTORS };
	uint32_t flags = 0;

	if (info->flags & VFIO_IRQ_INFO_AUTOMASKED)
		flags |= DFD_IRQ_LEVEL;
	if (info->flags & VFIO_IRQ_INFO_MASKABLE)
		flags |= DFD_IRQ_MASKABLE;
	if (!pci || info->index == VFIO_PCI_INTX_IRQ_INDEX)
		dfd_desc_add_irq(b, &(struct dfd_irq){ .index = info->index,
						       .count = info->count,
						       .flags = flags });
	else if (info->index < VFIO_PCI_NUM_IRQS)
		dfd_desc_set_num(b, messages[info->index - VFIO_PCI_MSI_IRQ_INDEX], info->count);
}

static int view_irq(struct dfd_asker *a, struct dfd_desc_builder *b, uint32_t index, bool pci)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
	int ret = dfd_ask(a, VFIO_DEVICE_GET_IRQ_INFO, &info);

	/*
	 * num_irqs of a PCI function is no promise either: without PCI Express there is no error
	 * notification to ask about, and mediated devices refuse whatever they do not have.
	 */
	if (ret == -EINVAL && pci)
		return 0;
	if (!ret && info.index != index)
		ret = -EBADMSG;
	if (ret < 0)
		return dfd_ask_failed(a, ret, "interrupt", index);
	if (info.count)
		add_irq(b, &info, pci);
	return 0;
}

/* ---- the device ---- */

static int view_parts(struct dfd_asker *a, struct dfd_desc_builder *b,
		      const struct vfio_device_info *info, struct dfd_view_config *config)
{
	bool pci = info->flags & VFIO_DEVICE_FLAGS_PCI;
	int ret = 0;

	if (info->num_regions > DFD_MAX_REGION_INDEX + 1 || info->num_irqs > DFD_MAX_IRQ_INDEX + 1)
		return dfd_error_set(a->err, -EBADMSG,
				     "the device has %" PRIu32 " regions and %" PRIu32
				     " interrupts, at most %u and %u can be",
				     info->num_regions, info->num_irqs, DFD_MAX_REGION_INDEX + 1,
				     DFD_MAX_IRQ_INDEX + 1);
	/* From the last to the first: configuration space says which BARs are I/O ports. */
	for (uint32_t i = info->num_regions; !ret && i-- > 0;)
		ret = view_region(a, b, i, pci, config);
	for (uint32_t i = 0; !ret && i < info->num_irqs; i++)
		ret = view_irq(a, b, i, pci);
	for (int f = 0; !ret && f < DFD_NUM_FACTS; f++) {
		uint64_t value;

		if (dfd_view_config_fact(config, (enum dfd_fact)f, &value))
			dfd_desc_set_num(b, (enum dfd_fact)f, value);
	}
	return ret;
}

static struct dfd_desc_builder *start(const struct vfio_device_info *info, const struct caps *caps)
{
	struct dfd_desc_builder *b;

	if (info->flags & VFIO_DEVICE_FLAGS_PCI)
		b = dfd_desc_builder_new(DFD_BUS_PCI);
	else if (info->flags & (VFIO_DEVICE_FLAGS_PLATFORM | VFIO_DEVICE_FLAGS_AMBA))
		b = dfd_desc_builder_new(DFD_BUS_DT);
	else
		b = dfd_desc_builder_new(DFD_BUS_OTHER);
	if (info->flags & VFIO_DEVICE_FLAGS_RESET)
		dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	for (uint32_t i = 0; i < caps->num_caps; i++)
		dfd_desc_add_cap(b, &caps->caps[i]);
	return b;
}

static int ask_device(struct dfd_asker *a, struct dfd_info *answer, struct vfio_device_info *info,
		      struct caps *caps)
{
	const struct vfio_device_info head = { .argsz = sizeof(head) };
	int ret = dfd_ask_info(a, VFIO_DEVICE_GET_INFO, &head, sizeof(head), VFIO_DEVICE_FLAGS_CAPS,
			       answer);

	if (!ret) {
		memcpy(info, answer->buf, sizeof(*info));
		if (!(info->flags & VFIO_DEVICE_FLAGS_CAPS))
			info->cap_offset = 0;
		ret = take_chain(answer, info->cap_offset, sizeof(*info), false, caps);
	}
	return ret < 0 ? dfd_error_set(a->err, ret, "asking for the device: %s", strerror(-ret))
		       : 0;
}

int dfd_view_vfio(struct dfd_asker *a, struct dfd_view *out)
{
	struct dfd_view_config config = { 0 };
	struct vfio_device_info info = { 0 };
	struct dfd_info answer = { 0 };
	struct caps caps = { 0 };
	int ret = ask_device(a, &answer, &info, &caps);

	if (!ret) {
		struct dfd_desc_builder *b = start(&info, &caps);

		ret = view_parts(a, b, &info, &config);
		if (!ret)
			ret = dfd_view_build(a, b, out);
		else
			dfd_desc_builder_free(b);
	}
	if (!ret)
		out->topics = TOPICS | (config.readable ? TOPIC(IDENTITY) | TOPIC(IOPORT) : 0);
	free(answer.buf);
	return ret;
}

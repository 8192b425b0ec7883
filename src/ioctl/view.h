/* SPDX-License-Identifier: MIT */
/* What the three views share, for src/ioctl/ alone. */
#ifndef IOCTL_VIEW_H
#define IOCTL_VIEW_H

#include <devfd/view.h>

#define TOPIC(t) (UINT32_C(1) << DFD_TOPIC_##t)

/** struct dfd_asker - somebody who asks a device fd, and counts how often */
struct dfd_asker {
	const struct dfd_fd_ops *ops;
	void *ctx;
	uint32_t calls;
	struct dfd_error *err;
};

/** dfd_ask() - one ioctl. Return: as struct dfd_fd_ops */
int dfd_ask(struct dfd_asker *a, unsigned long request, void *arg);

/** dfd_ask_read() - one read. Return: as struct dfd_fd_ops */
ssize_t dfd_ask_read(struct dfd_asker *a, void *buf, size_t len, uint64_t offset);

/** dfd_ask_failed() - word a refusal. Return: @ret */
int dfd_ask_failed(struct dfd_asker *a, int ret, const char *what, uint32_t index);

/** dfd_view_build() - finish a description; what cannot be is -EBADMSG */
int dfd_view_build(struct dfd_asker *a, struct dfd_desc_builder *b, struct dfd_view *out);

/* Bytes of configuration space that hold identity and BARs. */
#define DFD_VIEW_CONFIG_SIZE 64u

/**
 * struct dfd_view_config - the start of a PCI function's configuration space
 * @readable: @bytes are what the device says
 */
struct dfd_view_config {
	bool readable;
	uint8_t bytes[DFD_VIEW_CONFIG_SIZE];
};

/** dfd_view_config_read() - read it at @offset of the file, if it can be read */
void dfd_view_config_read(struct dfd_asker *a, uint64_t offset, uint64_t size,
			  struct dfd_view_config *config);

/** dfd_view_config_fact() - Return: true and the value of a fact that @config holds */
bool dfd_view_config_fact(const struct dfd_view_config *config, enum dfd_fact fact,
			  uint64_t *value);

/** dfd_view_table(), dfd_view_ioctl(), dfd_view_vfio() - the three ways of asking */
int dfd_view_table(struct dfd_asker *a, struct dfd_view *out);
int dfd_view_ioctl(struct dfd_asker *a, struct dfd_view *out);
int dfd_view_vfio(struct dfd_asker *a, struct dfd_view *out);

#endif

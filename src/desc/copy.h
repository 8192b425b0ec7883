/* SPDX-License-Identifier: MIT */
/* A description that differs from another one in its regions. */
#ifndef DESC_COPY_H
#define DESC_COPY_H

#include <devfd/desc.h>

/** dfd_desc_copy_rest() - add everything but the regions of a description to a builder */
void dfd_desc_copy_rest(struct dfd_desc_builder *b, const struct dfd_desc *desc);

#endif

/* SPDX-License-Identifier: MIT */
/* DMA maps of a container of type 1. */
#ifndef KERNEL_TYPE1_H
#define KERNEL_TYPE1_H

#include "kernel/space.h"

/** type1_ops - for a space whose fd is a container with its IOMMU set */
extern const struct space_ops type1_ops;

#endif

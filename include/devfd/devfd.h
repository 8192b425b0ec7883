/* SPDX-License-Identifier: MIT */
/* All of libdevfd. */
#ifndef DEVFD_DEVFD_H
#define DEVFD_DEVFD_H

#include <devfd/bind.h>
#include <devfd/check.h>
#include <devfd/desc.h>
#include <devfd/device.h>
#include <devfd/display.h>
#include <devfd/enumerate.h>
#include <devfd/error.h>
#include <devfd/facts.h>
#include <devfd/feature.h>
#include <devfd/file.h>
#include <devfd/ioctl.h>
#include <devfd/iommu.h>
#include <devfd/mmio.h>
#include <devfd/open.h>
#include <devfd/print.h>
#include <devfd/provider.h>
#include <devfd/reset.h>
#include <devfd/save.h>
#include <devfd/serve.h>
#include <devfd/table.h>
#include <devfd/view.h>

#endif

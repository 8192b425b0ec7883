/* SPDX-License-Identifier: MIT */
/* What the controller calls itself. */
#ifndef NVME_IDS_H
#define NVME_IDS_H

#define NVME_VENDOR_ID	  0x1234
#define NVME_DEVICE_ID	  0x4e56
#define NVME_MODEL_NUMBER "devfd NVMe controller"
#define NVME_FIRMWARE	  "1"

#endif

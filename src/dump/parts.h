/* SPDX-License-Identifier: MIT */
/* The parts of a dump. */
#ifndef DUMP_PARTS_H
#define DUMP_PARTS_H

#include <devfd/dump.h>

#include "dump/reader.h"

/** dump_read_device() - the device that @object describes. @out stays NULL after a failure */
void dump_read_device(struct reader *r, json_object *object, struct dfd_device **out);

/** dump_read_found() - a device of a list; its strings are those of @object */
void dump_read_found(struct reader *r, json_object *object, struct dfd_found *out);

/** dump_read_machine() - what a machine offers */
void dump_read_machine(struct reader *r, json_object *object, struct dfd_machine *out);

/** dump_read_group() - an IOMMU group; @members has room for DFD_MAX_MEMBERS */
void dump_read_group(struct reader *r, json_object *object, struct dfd_member *members,
		     struct dfd_group *out);

#endif

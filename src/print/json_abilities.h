/* SPDX-License-Identifier: MIT */
#ifndef PRINT_JSON_ABILITIES_H
#define PRINT_JSON_ABILITIES_H

#include <devfd/device.h>

#include "print/put.h"

/** dfd_put_abilities() - what dfd_print_abilities() prints, as members of @object */
void dfd_put_abilities(struct dfd_put *put, json_object *object, struct dfd_device *dev);

#endif

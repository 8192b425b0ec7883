/* SPDX-License-Identifier: MIT */
/* The forms of dfd_print_machine(): each returns how many devices there are, or a negative errno.
 */
#ifndef PRINT_MACHINE_H
#define PRINT_MACHINE_H

#include <stdio.h>

#include <devfd/dump.h>

#include "print/names.h"
#include "print/put.h"

int machine_print_list(FILE *out, const struct dfd_origin *origin, struct dfd_names *names);
int machine_print_tree(FILE *out, const struct dfd_origin *origin, struct dfd_names *names);
int machine_print_lines(FILE *out, const struct dfd_origin *origin, struct dfd_names *names);
int machine_print_json(FILE *out, const struct dfd_origin *origin, struct dfd_names *names);

/** machine_put_place() - the member "place" of a PCI function: what sysfs says of it, if anything
 */
void machine_put_place(struct dfd_put *put, json_object *object, const struct dfd_origin *origin,
		       const char *bdf);

/** machine_put_groups() - what the machine offers, and its groups. Return: an item of a dump */
json_object *machine_put_groups(struct dfd_put *put, const struct dfd_origin *origin, int *count);

#endif

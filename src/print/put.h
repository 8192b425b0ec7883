/* SPDX-License-Identifier: MIT */
/* Building JSON without checking every step. */
#ifndef PRINT_PUT_H
#define PRINT_PUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/**
 * struct dfd_put - remembers that memory was short
 *
 * json-c answers NULL then, which also is how it spells null; so nothing may be printed.
 */
struct dfd_put {
	bool failed;
};

/** dfd_put() - add a member to an object; @value belongs to the object, or is freed */
void dfd_put(struct dfd_put *p, json_object *object, const char *key, json_object *value);

/** dfd_put_item() - the same for the next item of an array */
void dfd_put_item(struct dfd_put *p, json_object *array, json_object *value);

/** dfd_put_num(), dfd_put_bool(), dfd_put_str() - add a value; a string is made plain before */
void dfd_put_num(struct dfd_put *p, json_object *object, const char *key, uint64_t value);
void dfd_put_bool(struct dfd_put *p, json_object *object, const char *key, bool value);
void dfd_put_str(struct dfd_put *p, json_object *object, const char *key, const char *value);

/**
 * dfd_put_print() - print a finished value and free it
 *
 * Return: 0, -ENOMEM when memory was short, -EIO when @out is in error.
 */
int dfd_put_print(const struct dfd_put *p, json_object *value, FILE *out);

#endif

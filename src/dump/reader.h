/* SPDX-License-Identifier: MIT */
/* Members of JSON objects that anybody may have written. */
#ifndef DUMP_READER_H
#define DUMP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include <devfd/error.h>

/**
 * struct reader - remembers the first thing that is wrong
 * @name: of the file, for messages
 * @item: which item of the outermost array is read, from 1 on
 * @ret: 0, or a negative errno
 *
 * What is not there is no failure, unless it was asked for with reader_need(); from the first
 * failure on everything reads as if it were not there.
 */
struct reader {
	const char *name;
	uint32_t item;
	int ret;
	struct dfd_error *err;
};

/** reader_need() - fail unless @object has that member */
void reader_need(struct reader *r, json_object *object, const char *key);

/** reader_num() - a number from 0 to @max. Return: is it there, and then in @value? */
bool reader_num(struct reader *r, json_object *object, const char *key, uint64_t max,
		uint64_t *value);

/** reader_int() - the same from 0 to INT32_MAX. Return: the number, or -1 */
int32_t reader_int(struct reader *r, json_object *object, const char *key);

/** reader_bool() - Return: is it there, and true? */
bool reader_bool(struct reader *r, json_object *object, const char *key);

/** reader_str() - Return: a string, which lives as long as @object, or NULL */
const char *reader_str(struct reader *r, json_object *object, const char *key);

/** reader_hex() - bytes in hexadecimal. Return: how many, at most @room */
size_t reader_hex(struct reader *r, json_object *object, const char *key, void *buf, size_t room);

/** reader_object() - Return: a member that is an object, or NULL */
json_object *reader_object(struct reader *r, json_object *object, const char *key);

/** reader_array() - Return: a member that is an array, or NULL; @count receives its items */
json_object *reader_array(struct reader *r, json_object *object, const char *key, uint32_t max,
			  uint32_t *count);

/** reader_item() - Return: an item of an array that is an object, or NULL after a failure */
json_object *reader_item(struct reader *r, json_object *array, const char *key, uint32_t i);

#endif

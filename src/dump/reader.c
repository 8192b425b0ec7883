/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dump/reader.h"

#define WRONG(r, fmt, ...)                                                                         \
	((r)->ret = dfd_error_set((r)->err, -EBADMSG, "%s: item %" PRIu32 ": " fmt, (r)->name,     \
				  (r)->item, __VA_ARGS__))

static json_object *member(struct reader *r, json_object *object, const char *key)
{
	json_object *value;

	return !r->ret && object && json_object_object_get_ex(object, key, &value) ? value : NULL;
}

void reader_need(struct reader *r, json_object *object, const char *key)
{
	if (!r->ret && !member(r, object, key))
		WRONG(r, "has no \"%s\"", key);
}

bool reader_num(struct reader *r, json_object *object, const char *key, uint64_t max,
		uint64_t *value)
{
	json_object *v = member(r, object, key);

	if (!v)
		return false;
	/* Numbers with a sign come as the largest and smallest that fit. */
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0 ||
	    json_object_get_uint64(v) > max) {
		WRONG(r, "\"%s\" is no number from 0 to %" PRIu64, key, max);
		return false;
	}
	*value = json_object_get_uint64(v);
	return true;
}

int32_t reader_int(struct reader *r, json_object *object, const char *key)
{
	uint64_t value;

	return reader_num(r, object, key, INT32_MAX, &value) ? (int32_t)value : -1;
}

bool reader_bool(struct reader *r, json_object *object, const char *key)
{
	json_object *v = member(r, object, key);

	if (v && !json_object_is_type(v, json_type_boolean))
		WRONG(r, "\"%s\" is neither true nor false", key);
	return v && json_object_get_boolean(v);
}

const char *reader_str(struct reader *r, json_object *object, const char *key)
{
	json_object *v = member(r, object, key);

	if (!v)
		return NULL;
	if (!json_object_is_type(v, json_type_string) ||
	    strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v)) {
		WRONG(r, "\"%s\" is no string", key);
		return NULL;
	}
	return json_object_get_string(v);
}

/* Of a digit, that is. */
static unsigned int value_of(char digit)
{
	return (unsigned int)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

size_t reader_hex(struct reader *r, json_object *object, const char *key, void *buf, size_t room)
{
	const char *text = reader_str(r, object, key);
	size_t len = text ? strlen(text) : 0;
	uint8_t *bytes = buf;

	if (len % 2 || len / 2 > room || (text && strspn(text, "0123456789abcdef") != len)) {
		WRONG(r, "\"%s\" is not up to %zu bytes in hexadecimal", key, room);
		return 0;
	}
	for (size_t i = 0; i < len / 2; i++)
		bytes[i] = (uint8_t)(value_of(text[2 * i]) << 4 | value_of(text[2 * i + 1]));
	return len / 2;
}

json_object *reader_object(struct reader *r, json_object *object, const char *key)
{
	json_object *v = member(r, object, key);

	if (v && !json_object_is_type(v, json_type_object)) {
		WRONG(r, "\"%s\" is no object", key);
		return NULL;
	}
	return v;
}

json_object *reader_array(struct reader *r, json_object *object, const char *key, uint32_t max,
			  uint32_t *count)
{
	json_object *v = member(r, object, key);

	*count = 0;
	if (!v)
		return NULL;
	if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) > max) {
		WRONG(r, "\"%s\" is no array of up to %" PRIu32 " items", key, max);
		return NULL;
	}
	*count = (uint32_t)json_object_array_length(v);
	return v;
}

json_object *reader_item(struct reader *r, json_object *array, const char *key, uint32_t i)
{
	json_object *v = r->ret ? NULL : json_object_array_get_idx(array, i);

	if (!r->ret && !json_object_is_type(v, json_type_object)) {
		WRONG(r, "\"%s\" holds something else than objects", key);
		return NULL;
	}
	return v;
}

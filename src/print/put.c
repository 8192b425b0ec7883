/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "print/plain.h"
#include "print/put.h"

void dfd_put(struct dfd_put *p, json_object *object, const char *key, json_object *value)
{
	if (!object || !value || json_object_object_add(object, key, value)) {
		json_object_put(value);
		p->failed = true;
	}
}

void dfd_put_item(struct dfd_put *p, json_object *array, json_object *value)
{
	if (!array || !value || json_object_array_add(array, value)) {
		json_object_put(value);
		p->failed = true;
	}
}

void dfd_put_num(struct dfd_put *p, json_object *object, const char *key, uint64_t value)
{
	dfd_put(p, object, key, json_object_new_uint64(value));
}

void dfd_put_bool(struct dfd_put *p, json_object *object, const char *key, bool value)
{
	dfd_put(p, object, key, json_object_new_boolean(value));
}

void dfd_put_str(struct dfd_put *p, json_object *object, const char *key, const char *value)
{
	char plain[DFD_PLAIN_SIZE];

	dfd_put(p, object, key, json_object_new_string(dfd_plain(plain, sizeof(plain), value)));
}

int dfd_put_print(const struct dfd_put *p, json_object *value, FILE *out)
{
	const int flags =
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *text = p->failed ? NULL : json_object_to_json_string_ext(value, flags);

	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(value);
	if (!text)
		return -ENOMEM;
	return ferror(out) ? -EIO : 0;
}

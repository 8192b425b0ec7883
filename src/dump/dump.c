/* SPDX-License-Identifier: MIT */
/*
 * Dumps.
 *
 * Theory of operation: the file becomes a tree of JSON once, and every item of it is read once when
 * it is opened, so that all that is wrong shows there. Devices are made then. Lists are read again
 * from the tree each time they are walked, which cannot fail any more, so that a dump needs no
 * memory beside its tree. How much that is follows from the number of objects, arrays and commas,
 * which are counted before it is built.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/dump.h>

#include "dump/parts.h"
#include "util/fileio.h"

#define MAX_DEPTH  16
#define REMEDY	   "lsvfio -J >FILE makes a dump"
#define MAX_COMMAS (1u << 19)

/** struct described - a device; @address: memory of the tree */
struct described {
	const char *address;
	struct dfd_device *dev;
};

struct dfd_dump {
	json_object *items;
	struct described *devices;
	uint32_t count;
};

/* ---- what an item is ---- */

static bool has(json_object *item, const char *key)
{
	return json_object_object_get_ex(item, key, NULL);
}

/* The device as it was found in the list of its machine, if it is one. */
static json_object *found_of(struct reader *r, json_object *item)
{
	if (has(item, "machine") || has(item, "groups"))
		return NULL;
	return has(item, "regions") ? reader_object(r, item, "place") : item;
}

static json_object *item_of(const struct dfd_dump *dump, size_t i)
{
	return json_object_array_get_idx(dump->items, i);
}

/* ---- opening ---- */

static void read_device(struct reader *r, json_object *item, struct dfd_dump *dump)
{
	struct described *grown;

	if (dump->count == DFD_DUMP_MAX_DEVICES) {
		r->ret = dfd_error_set(r->err, -EFBIG, "%s: describes more than %u devices",
				       r->name, DFD_DUMP_MAX_DEVICES);
		return;
	}
	grown = reallocarray(dump->devices, dump->count + 1, sizeof(*grown));
	if (!grown) {
		r->ret = dfd_error_set(r->err, -ENOMEM, "%s: out of memory", r->name);
		return;
	}
	dump->devices = grown;
	reader_need(r, item, "address");
	grown[dump->count] = (struct described){ .address = reader_str(r, item, "address") };
	dump_read_device(r, item, &grown[dump->count].dev);
	if (!r->ret)
		dump->count++;
}

static void read_groups(struct reader *r, json_object *item, struct dfd_group *group,
			struct dfd_member *members)
{
	uint32_t count;
	json_object *groups = reader_array(r, item, "groups", DFD_DUMP_MAX_PARTS, &count);

	for (uint32_t i = 0; i < count && !r->ret; i++)
		dump_read_group(r, reader_item(r, groups, "groups", i), members, group);
}

/* Read one item for the sake of what is wrong in it. */
static void read_item(struct reader *r, json_object *item, struct dfd_dump *dump)
{
	struct dfd_member members[DFD_MAX_MEMBERS];
	struct dfd_machine machine;
	struct dfd_group group;
	struct dfd_found found;
	json_object *object;

	object = reader_object(r, item, "machine");
	if (object)
		dump_read_machine(r, object, &machine);
	read_groups(r, item, &group, members);
	object = found_of(r, item);
	if (object)
		dump_read_found(r, object, &found);
	if (!r->ret && has(item, "regions"))
		read_device(r, item, dump);
}

static int read_items(struct reader *r, struct dfd_dump *dump)
{
	size_t count = json_object_array_length(dump->items);

	for (size_t i = 0; i < count && !r->ret; i++) {
		r->item = (uint32_t)i + 1;
		if (json_object_is_type(item_of(dump, i), json_type_object))
			read_item(r, item_of(dump, i), dump);
		else
			r->ret = dfd_error_set(r->err, -EBADMSG,
					       "%s: item %" PRIu32 ": is no object", r->name,
					       r->item);
	}
	return r->ret;
}

/* ---- the tree ---- */

static bool is_small(const char *text, size_t len)
{
	uint32_t parts = 0, commas = 0;

	for (size_t i = 0; i < len; i++) {
		parts += text[i] == '{' || text[i] == '[';
		commas += text[i] == ',';
	}
	return parts <= DFD_DUMP_MAX_PARTS && commas <= MAX_COMMAS;
}

static int parse(const char *name, const char *text, size_t len, json_object **out,
		 struct dfd_error *err)
{
	struct json_tokener *tokener;
	int ret = 0;

	if (!is_small(text, len))
		return dfd_error_set(err, -EFBIG,
				     "%s: holds more than %u objects and arrays, or %u commas",
				     name, DFD_DUMP_MAX_PARTS, MAX_COMMAS);
	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener)
		return dfd_error_set(err, -ENOMEM, "%s: out of memory", name);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*out = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		ret = dfd_error_set(err, -EBADMSG, "%s: ends within its JSON; " REMEDY, name);
	else if (json_tokener_get_error(tokener) != json_tokener_success)
		ret = dfd_error_set(err, -EBADMSG, "%s: is no JSON at byte %zu; " REMEDY, name,
				    json_tokener_get_parse_end(tokener));
	else if (!json_object_is_type(*out, json_type_array) || !json_object_array_length(*out))
		ret = dfd_error_set(err, -EBADMSG, "%s: is no array of devices; " REMEDY, name);
	json_tokener_free(tokener);
	return ret;
}

int dfd_dump_open(const char *path, struct dfd_dump **out, struct dfd_error *err)
{
	struct reader r = { .name = path, .err = err };
	struct dfd_dump *dump;
	void *text;
	size_t len;
	int ret;

	ret = dfd_read_file(path, DFD_DUMP_MAX_SIZE, &text, &len, err);
	if (ret)
		return ret;
	dump = calloc(1, sizeof(*dump));
	if (!dump) {
		free(text);
		return dfd_error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	ret = parse(path, text, len, &dump->items, err);
	free(text);
	if (!ret)
		ret = read_items(&r, dump);
	if (ret)
		dfd_dump_close(dump);
	else
		*out = dump;
	return ret;
}

void dfd_dump_close(struct dfd_dump *dump)
{
	if (!dump)
		return;
	for (uint32_t i = 0; i < dump->count; i++)
		dfd_device_close(dump->devices[i].dev);
	free(dump->devices);
	json_object_put(dump->items);
	free(dump);
}

/* ---- what is in it ---- */

uint32_t dfd_dump_count(const struct dfd_dump *dump)
{
	return dump->count;
}

const char *dfd_dump_address(const struct dfd_dump *dump, uint32_t i)
{
	return dump->devices[i].address;
}

struct dfd_device *dfd_dump_device(const struct dfd_dump *dump, uint32_t i)
{
	return dump->devices[i].dev;
}

int dfd_dump_enumerate(const struct dfd_dump *dump,
		       int (*fn)(void *ctx, const struct dfd_found *found), void *ctx)
{
	size_t count = json_object_array_length(dump->items);
	struct reader r = { .name = "" };
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		json_object *object = found_of(&r, item_of(dump, i));
		struct dfd_found found;

		if (!object)
			continue;
		dump_read_found(&r, object, &found);
		ret = fn(ctx, &found);
	}
	return ret;
}

int dfd_dump_enumerate_groups(const struct dfd_dump *dump,
			      int (*fn)(void *ctx, const struct dfd_group *group), void *ctx)
{
	size_t items = json_object_array_length(dump->items);
	struct dfd_member members[DFD_MAX_MEMBERS];
	struct reader r = { .name = "" };
	struct dfd_group group;
	int ret = 0;

	for (size_t i = 0; i < items; i++) {
		uint32_t count;
		json_object *groups =
			reader_array(&r, item_of(dump, i), "groups", DFD_DUMP_MAX_PARTS, &count);

		for (uint32_t k = 0; k < count && !ret; k++) {
			dump_read_group(&r, reader_item(&r, groups, "groups", k), members, &group);
			ret = fn(ctx, &group);
		}
	}
	return ret;
}

bool dfd_dump_machine(const struct dfd_dump *dump, struct dfd_machine *out)
{
	size_t count = json_object_array_length(dump->items);
	struct reader r = { .name = "" };

	for (size_t i = 0; i < count; i++) {
		json_object *machine = reader_object(&r, item_of(dump, i), "machine");

		if (!machine)
			continue;
		dump_read_machine(&r, machine, out);
		return true;
	}
	return false;
}

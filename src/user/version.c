/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "ring/ring.h"
#include "user/version.h"

#define MAX_DEPTH 8

/* By importance: a text that must be short names the first ones. */
enum key { KEY_TWIN, KEY_MAX_FDS, KEY_MAX_DMA_MAPS, KEY_PGSIZES, KEY_MAX_DATA, KEY_RING, NUM_KEYS };

_Static_assert(VERSION_TWIN == UINT32_C(1) << KEY_TWIN, "the bit of a key is its number");
_Static_assert(VERSION_RING == UINT32_C(1) << KEY_RING, "the bit of a key is its number");

/**
 * struct known - a number that peers tell each other, or the object of the second socket
 * @max: the largest that makes sense to us; more is cut down to it
 * @absent: what holds when it is not named
 * @ours: what we say
 */
static const struct known {
	const char *name;
	uint32_t max;
	uint32_t absent;
	uint32_t ours;
} known[NUM_KEYS] = {
	[KEY_TWIN] = { .name = "twin_socket" },
	[KEY_MAX_FDS] = { "max_msg_fds", USER_MAX_FDS, 1, USER_MAX_FDS },
	[KEY_MAX_DMA_MAPS] = { "max_dma_maps", UINT32_MAX, 65535, USER_MAX_DMA_MAPS },
	[KEY_PGSIZES] = { "pgsizes", UINT32_MAX, 4096, USER_PAGE_SIZES },
	[KEY_MAX_DATA] = { "max_data_xfer_size", USER_MAX_DATA, USER_MAX_DATA, USER_MAX_DATA },
	[KEY_RING] = { "devfd_ring", UINT32_MAX, 0, RING_LAYOUT },
};

/* A number that is there must be an integer from 0 up. */
static int get_number(struct json_object *caps, const struct known *k, uint32_t *value)
{
	struct json_object *member;
	int64_t number;

	*value = k->absent;
	if (!json_object_object_get_ex(caps, k->name, &member))
		return 0;
	if (!json_object_is_type(member, json_type_int))
		return -EINVAL;
	number = json_object_get_int64(member);
	if (number < 0)
		return -EINVAL;
	*value = number > k->max ? k->max : (uint32_t)number;
	return 1;
}

/* Known keys of other kinds, which we do not use but which must be well formed. */
static bool well_formed(struct json_object *caps)
{
	static const struct {
		const char *name;
		enum json_type type;
	} others[] = { { "write_multiple", json_type_boolean }, { "migration", json_type_object } };
	struct json_object *member;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (json_object_object_get_ex(caps, others[i].name, &member) &&
		    !json_object_is_type(member, others[i].type))
			return false;
	}
	return true;
}

/* "fd_index" is the server's to say. */
static int get_twin(struct json_object *caps, struct user_limits *limits)
{
	struct json_object *twin, *member;
	int64_t number;

	if (!json_object_object_get_ex(caps, known[KEY_TWIN].name, &twin))
		return 0;
	if (!json_object_is_type(twin, json_type_object))
		return -EINVAL;
	if (json_object_object_get_ex(twin, "supported", &member)) {
		if (!json_object_is_type(member, json_type_boolean))
			return -EINVAL;
		limits->twin = json_object_get_boolean(member);
	}
	if (json_object_object_get_ex(twin, "fd_index", &member)) {
		number = json_object_get_int64(member);
		if (!json_object_is_type(member, json_type_int) || number < 0)
			return -EINVAL;
		limits->twin_fd = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
	}
	return limits->twin;
}

static int read_caps(struct json_object *root, struct user_limits *limits, uint32_t *keys)
{
	struct json_object *caps = NULL;
	uint32_t values[NUM_KEYS];
	int twin;

	if (!json_object_is_type(root, json_type_object))
		return -EINVAL;
	if (json_object_object_get_ex(root, "capabilities", &caps) &&
	    !json_object_is_type(caps, json_type_object))
		return -EINVAL;
	for (int i = KEY_MAX_FDS; caps && i < NUM_KEYS; i++) {
		int ret = get_number(caps, &known[i], &values[i]);

		if (ret < 0)
			return ret;
		*keys |= (uint32_t)ret << i;
	}
	if (!caps)
		return 0;
	if (!well_formed(caps) || !values[KEY_MAX_DATA])
		return -EINVAL;
	limits->max_fds = values[KEY_MAX_FDS];
	limits->max_data = values[KEY_MAX_DATA];
	limits->max_dma_maps = values[KEY_MAX_DMA_MAPS];
	limits->ring = values[KEY_RING];
	twin = get_twin(caps, limits);
	if (twin < 0)
		return twin;
	*keys |= (uint32_t)twin << KEY_TWIN;
	return 0;
}

static int parse_text(const char *text, size_t len, struct user_limits *limits, uint32_t *keys)
{
	struct json_tokener *tokener;
	struct json_object *root;
	int ret = -EINVAL;

	/* One NUL, at the end. */
	if (strnlen(text, len) != len - 1)
		return -EINVAL;
	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) == json_tokener_success)
		ret = read_caps(root, limits, keys);
	json_object_put(root);
	json_tokener_free(tokener);
	return ret;
}

int version_parse(const uint8_t *body, size_t len, struct user_version *version,
		  struct user_limits *limits, uint32_t *keys)
{
	*limits = (struct user_limits){ .max_fds = known[KEY_MAX_FDS].absent,
					.max_data = known[KEY_MAX_DATA].absent,
					.max_dma_maps = known[KEY_MAX_DMA_MAPS].absent,
					.twin_fd = UINT32_MAX };
	*keys = 0;
	if (len < sizeof(*version))
		return -EINVAL;
	memcpy(version, body, sizeof(*version));
	if (len == sizeof(*version))
		return 0;
	return parse_text((const char *)body + sizeof(*version), len - sizeof(*version), limits,
			  keys);
}

static const char before[] = "{\"capabilities\":{", behind[] = "}}";

#define MAX_MEMBER 64

static size_t put_member(char member[MAX_MEMBER], enum key key, const char *twin)
{
	const struct known *k = &known[key];
	int len = key == KEY_TWIN ? snprintf(member, MAX_MEMBER, "\"%s\":%s", k->name, twin)
				  : snprintf(member, MAX_MEMBER, "\"%s\":%u", k->name, k->ours);

	return (size_t)len;
}

/* @twin: the value of that key */
static size_t put_text(uint32_t *keys, size_t room, const char *twin, char text[VERSION_MAX_TEXT])
{
	size_t len = sizeof(before) - 1;
	uint32_t named = *keys;

	*keys = 0;
	if (room < sizeof(before) - 1 + sizeof(behind)) {
		strcpy(text, "{}");
		return room < sizeof("{}") ? 0 : sizeof("{}");
	}
	if (room > VERSION_MAX_TEXT)
		room = VERSION_MAX_TEXT;
	memcpy(text, before, len);
	for (int i = 0; i < NUM_KEYS; i++) {
		char member[MAX_MEMBER];
		size_t more = put_member(member, (enum key)i, twin), comma = *keys != 0;

		if (!(named >> i & 1) || len + comma + more + sizeof(behind) > room)
			continue;
		if (comma)
			text[len++] = ',';
		memcpy(text + len, member, more);
		len += more;
		*keys |= UINT32_C(1) << i;
	}
	memcpy(text + len, behind, sizeof(behind));
	return len + sizeof(behind);
}

size_t version_answer(uint32_t *keys, size_t room, char text[VERSION_MAX_TEXT])
{
	return put_text(keys, room, "{\"supported\":true,\"fd_index\":0}", text);
}

size_t version_request(char text[VERSION_MAX_TEXT], uint32_t unwanted)
{
	uint32_t keys = ~unwanted;

	return put_text(&keys, VERSION_MAX_TEXT, "{\"supported\":true}", text);
}

/* SPDX-License-Identifier: MIT */
/* The requests that abi.c knows: their numbers, and the fields of what they take. */
#ifndef TESTS_ABI_CALLS_H
#define TESTS_ABI_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"

enum takes {
	TAKES_NUMBER,
	TAKES_INT, /* the address of one */
	TAKES_NAME,
	TAKES_STRUCT,
};

enum field_kind {
	FIELD_NUMBER,
	FIELD_ID,     /* of an object, told when it has changed */
	FIELD_ID_OUT, /* the same, told always */
	FIELD_ANY,    /* not told: differs between systems that are both right */
};

struct field {
	char name[24];
	size_t at, size;
	enum field_kind kind;
};

#define MAX_FIELDS 12

struct fields {
	struct field list[MAX_FIELDS];
	unsigned int count;
	size_t size;
};

/**
 * struct call - a request
 * @fields: words of NAME:BYTES, the first holds the size of the whole. Behind BYTES "i" is an id,
 *          "o" one that comes back, "?" what differs between systems
 * @saves: the field that "as" keeps
 * @gives_fd: returns a file
 * @dependents: followed by devices that are reset together
 */
struct call {
	const char *name;
	uint32_t request;
	enum takes takes;
	const char *fields, *saves;
	bool gives_fd, dependents;
};

/** abi_call() - Return: the request of that name, or NULL */
const struct call *abi_call(const char *name);

/** abi_fields() - Return: the fields of the struct that a request takes, until the next call */
const struct fields *abi_fields(const struct call *c);

/** abi_field() - Return: the field of that name, or NULL */
const struct field *abi_field(const struct fields *fields, const char *name);

#endif

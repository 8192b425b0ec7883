/* SPDX-License-Identifier: MIT */
/* The list of models, and the reading of NAME[,OPTION[=VALUE]]... */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/model.h"

static const struct dfd_model_type *const models[] = {
	&dfd_model_edu,	  &dfd_model_igb,    &dfd_model_nvme,
	&dfd_model_pl011, &dfd_model_shapes, &dfd_model_uart,
};
#define NUM_MODELS (sizeof(models) / sizeof(*models))

/* Room for the names of all models, or of all options of one. */
typedef char names[160];

static void add_name(names list, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, sizeof(names) - len, "%s%s", len ? ", " : "", name);
}

static const struct dfd_model_type *find_model(const char *name, size_t len, struct dfd_error *err)
{
	names exist = "";

	for (size_t i = 0; i < NUM_MODELS; i++) {
		if (strlen(models[i]->name) == len && !strncmp(models[i]->name, name, len))
			return models[i];
		add_name(exist, models[i]->name);
	}
	dfd_error_set(err, -ENOENT, "model:%.*s: there is no such model; there are: %s",
		      (int)(len < 64 ? len : 64), name, exist);
	return NULL;
}

static int find_option(const struct dfd_model_type *type, const char *name, struct dfd_error *err)
{
	names exist = "";

	for (unsigned int i = 0; i < type->num_options; i++) {
		if (!strcmp(type->options[i].name, name))
			return (int)i;
		add_name(exist, type->options[i].name);
	}
	if (!type->num_options)
		return dfd_error_set(err, -EINVAL, "model:%s: has no option \"%s\"; it takes none",
				     type->name, name);
	return dfd_error_set(err, -EINVAL, "model:%s: has no option \"%s\"; it has: %s", type->name,
			     name, exist);
}

/* As people write sizes: 64M. */
static bool parse_number(const char *text, uint64_t *value)
{
	static const char units[] = "KMGT";
	char *end;

	/* strtoull() takes spaces and signs, too. */
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
	for (unsigned int i = 0; *end && i < sizeof(units) - 1; i++) {
		unsigned int shift = 10 * (i + 1);

		if (*end != units[i] || *value > UINT64_MAX >> shift)
			continue;
		*value <<= shift;
		end++;
		break;
	}
	return !errno && !*end;
}

/* A bool is a number with a default text; @text is NULL where the option stands alone. */
static int parse_value(const struct dfd_model_type *type, const struct dfd_model_option *o,
		       const char *text, union dfd_option_value *value, struct dfd_error *err)
{
	bool flag = o->kind == DFD_OPTION_BOOL;
	uint64_t min = flag ? 0 : o->min, max = flag ? 1 : o->max;

	if (o->kind == DFD_OPTION_TEXT) {
		value->text = text;
		return text && *text ? 0
				     : dfd_error_set(err, -EINVAL, "model:%s: %s= needs a text",
						     type->name, o->name);
	}
	if (!text && flag)
		text = "1";
	if (!text || !parse_number(text, &value->number) || value->number < min ||
	    value->number > max)
		return dfd_error_set(err, -EINVAL,
				     "model:%s: %s=%s is not a number from %" PRIu64 " to %" PRIu64,
				     type->name, o->name, text ? text : "", min, max);
	return 0;
}

static int parse_option(const struct dfd_model_type *type, char *text,
			union dfd_option_value *values, struct dfd_error *err)
{
	char *value = strchr(text, '=');
	int i;

	if (value)
		*value++ = 0;
	i = find_option(type, text, err);
	return i < 0 ? i : parse_value(type, &type->options[i], value, &values[i], err);
}

static int parse_options(const struct dfd_model_type *type, char *text,
			 union dfd_option_value *values, struct dfd_error *err)
{
	for (unsigned int i = 0; i < type->num_options; i++) {
		values[i].number = type->options[i].initial;
		if (type->options[i].kind == DFD_OPTION_TEXT)
			values[i].text = NULL;
	}
	while (text) {
		char *next = strchr(text, ',');
		int ret;

		if (next)
			*next++ = 0;
		ret = parse_option(type, text, values, err);
		if (ret)
			return ret;
		text = next;
	}
	return 0;
}

int dfd_model_open(const char *spec, struct dfd_device **out, struct dfd_error *err)
{
	size_t len = strcspn(spec, ",");
	const struct dfd_model_type *type = find_model(spec, len, err);
	union dfd_option_value values[DFD_MAX_MODEL_OPTIONS];
	char *options = NULL;
	int ret;

	if (!type)
		return -ENOENT;
	if (spec[len]) {
		options = strdup(spec + len + 1);
		if (!options)
			return dfd_error_set(err, -ENOMEM, "out of memory");
	}
	ret = parse_options(type, options, values, err);
	if (!ret)
		ret = type->create(values, out, err);
	free(options);
	return ret;
}

static void option_help(const struct dfd_model_option *o, char *text, size_t len)
{
	static const char *const values[] = { "0|1", "NUMBER", "NUMBER", "TEXT" };
	int n = snprintf(text, len, "  %s=%s: %s", o->name, values[o->kind], o->help);

	if (o->kind == DFD_OPTION_TEXT)
		return;
	n += snprintf(text + n, len - (size_t)n, "; default ");
	snprintf(text + n, len - (size_t)n, o->kind == DFD_OPTION_HEX ? "0x%" PRIx64 : "%" PRIu64,
		 o->initial);
}

void dfd_model_help(void (*line)(void *ctx, const char *text), void *ctx)
{
	char text[160];

	for (size_t i = 0; i < NUM_MODELS; i++) {
		snprintf(text, sizeof(text), "%s: %s", models[i]->name, models[i]->help);
		line(ctx, text);
		for (unsigned int o = 0; o < models[i]->num_options; o++) {
			option_help(&models[i]->options[o], text, sizeof(text));
			line(ctx, text);
		}
	}
}

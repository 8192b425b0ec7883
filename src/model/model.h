/* SPDX-License-Identifier: MIT */
/*
 * Models: devices written in C that run in this process.
 *
 * A model is one file, or one folder, that ends in a struct dfd_model_type; models.c lists them.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <endian.h>
#include <string.h>

#include <devfd/provider.h>

/** enum dfd_option_kind - what the value of an option looks like */
enum dfd_option_kind {
	DFD_OPTION_BOOL,   /* 0 or 1; the name alone means 1 */
	DFD_OPTION_NUMBER, /* decimal, or hexadecimal with 0x */
	DFD_OPTION_HEX,	   /* the same, but shown in hexadecimal */
	DFD_OPTION_TEXT,   /* anything without a comma, such as a path */
};

/** union dfd_option_value - @text: of DFD_OPTION_TEXT, NULL where it is not given */
union dfd_option_value {
	uint64_t number;
	const char *text;
};

/**
 * struct dfd_model_option - an option of a model
 * @name: as in the address
 * @kind: what its value looks like
 * @initial: the value where the address does not name the option
 * @min, @max: of a number, both inclusive
 * @help: a few words
 */
struct dfd_model_option {
	const char *name;
	enum dfd_option_kind kind;
	uint64_t initial;
	uint64_t min;
	uint64_t max;
	const char *help;
};

/* Options of one model. */
#define DFD_MAX_MODEL_OPTIONS 8u

/**
 * struct dfd_model_type - a kind of model
 * @name: as in the address
 * @help: one line for people
 * @options: what can be chosen, DFD_MAX_MODEL_OPTIONS at most
 * @num_options: entries of @options
 * @create: make a device; @values has a checked value for each option, in their order; texts are
 *          valid during the call
 */
struct dfd_model_type {
	const char *name;
	const char *help;
	const struct dfd_model_option *options;
	unsigned int num_options;
	int (*create)(const union dfd_option_value *values, struct dfd_device **out,
		      struct dfd_error *err);
};

extern const struct dfd_model_type dfd_model_edu;
extern const struct dfd_model_type dfd_model_igb;
extern const struct dfd_model_type dfd_model_nvme;
extern const struct dfd_model_type dfd_model_pl011;
extern const struct dfd_model_type dfd_model_shapes;
extern const struct dfd_model_type dfd_model_uart;

/**
 * dfd_model_open() - make the device that NAME[,OPTION[=VALUE]]... asks for
 * @spec: what follows "model:" in an address
 * @out: receives the device
 * @err: optional
 *
 * Return: 0; -ENOENT for a model that does not exist; -EINVAL for an unknown option or a wrong
 * value; or as dfd_model_new().
 */
int dfd_model_open(const char *spec, struct dfd_device **out, struct dfd_error *err);

/** dfd_model_help() - the models and their options, line by line, without newlines */
void dfd_model_help(void (*line)(void *ctx, const char *text), void *ctx);

/** struct dfd_pci_identity - @msi, @msix: vectors, 0 for none */
struct dfd_pci_identity {
	const char *name;
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code;
	uint8_t revision;
	uint32_t msi, msix;
};

/**
 * dfd_pci_builder() - start the description of a PCI function that can be reset, with 256 bytes of
 *                     configuration space and INTx
 *
 * Return: as dfd_desc_builder_new(). The BARs are to be added.
 */
struct dfd_desc_builder *dfd_pci_builder(const struct dfd_pci_identity *id);

/**
 * dfd_model_build() - dfd_desc_build(), then dfd_model_new()
 * @priv: NULL where there was no memory for it, which is -ENOMEM
 */
int dfd_model_build(struct dfd_desc_builder *b, const struct dfd_device_ops *ops, void *priv,
		    const struct dfd_pci_setup *pci, struct dfd_device **out,
		    struct dfd_error *err);

/** dfd_reg_load() - a little-endian register of 1, 2, 4 or 8 bytes */
static inline uint64_t dfd_reg_load(const void *buf, size_t width)
{
	uint64_t value = 0;

	memcpy(&value, buf, width);
	return le64toh(value);
}

/** dfd_reg_store() - as dfd_reg_load(); what does not fit in @width is cut off */
static inline void dfd_reg_store(void *buf, size_t width, uint64_t value)
{
	value = htole64(value);
	memcpy(buf, &value, width);
}

#endif

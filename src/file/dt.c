/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "file/dt.h"

bool dt_is_text(const char *s)
{
	for (; *s; s++) {
		if (!isgraph((unsigned char)*s))
			return false;
	}
	return true;
}

const char *dt_name(const struct dt_node *n, int node)
{
	const char *name = fdt_get_name(n->fdt, node, NULL);

	if (!name || !dt_is_text(name))
		return "(unprintable)";
	return *name ? name : "/";
}

int dt_cells(const struct dt_node *n, int node, const char *name, struct dt_cells *out,
	     struct dfd_error *err)
{
	int len = 0;

	*out = (struct dt_cells){ fdt_getprop(n->fdt, node, name, &len), 0 };
	if (!out->data)
		return 0;
	if (len % 4)
		return dfd_error_set(err, -EBADMSG,
				     "%s of node %s is %d bytes long, not whole cells", name,
				     dt_name(n, node), len);
	out->count = (uint32_t)len / 4;
	return 0;
}

uint32_t dt_cell(const struct dt_cells *cells, uint32_t i)
{
	const uint8_t *p = cells->data + (size_t)i * 4;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int dt_number(const struct dt_node *n, int node, const char *name, uint32_t *value,
	      struct dfd_error *err)
{
	struct dt_cells cells;
	int ret = dt_cells(n, node, name, &cells, err);

	if (ret || !cells.data)
		return ret;
	if (cells.count != 1)
		return dfd_error_set(err, -EBADMSG,
				     "%s of node %s is %" PRIu32 " cells long, not 1", name,
				     dt_name(n, node), cells.count);
	*value = dt_cell(&cells, 0);
	return 1;
}

bool dt_is_pci(const struct dt_node *n, int node)
{
	int len;
	const char *type = fdt_getprop(n->fdt, node, "device_type", &len);

	return type && ((len == sizeof("pci") && !memcmp(type, "pci", sizeof("pci"))) ||
			(len == sizeof("pciex") && !memcmp(type, "pciex", sizeof("pciex"))));
}

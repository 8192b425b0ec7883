/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a cell that is narrower than its column leaves spaces `owed`, which are
 * printed only when something follows on the line. Cells past the last column are an error of the
 * caller and run together.
 */
#include <stdarg.h>

#include "print/columns.h"

#define GAP 2 /* spaces between columns */

static void pay(struct dfd_columns *c)
{
	fprintf(c->out, "%*s", (int)c->owed, "");
	c->owed = 0;
}

static void cell(struct dfd_columns *c, bool right, const char *fmt, va_list args)
{
	unsigned int last = DFD_MAX_COLUMNS - 1;
	unsigned int column = c->column < last ? c->column : last;
	unsigned int *width = &c->width[column], len, pad;
	char text[128];

	len = (unsigned int)vsnprintf(text, sizeof(text), fmt, args);
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	c->column++;
	if (c->measuring) {
		if (*width < len)
			*width = len;
		return;
	}
	/* A column that is empty in every line takes no room. */
	if (!*width)
		return;
	pad = *width > len ? *width - len : 0;
	if (right)
		c->owed += pad;
	if (len) {
		pay(c);
		fputs(text, c->out);
	}
	c->owed += GAP + (right && len ? 0 : pad);
}

void dfd_columns_run(struct dfd_columns *c, void (*lines)(void *ctx), void *ctx)
{
	for (unsigned int i = 0; i < DFD_MAX_COLUMNS; i++)
		c->width[i] = 0;
	c->column = 0;
	c->owed = c->indent;
	c->measuring = true;
	lines(ctx);
	c->measuring = false;
	lines(ctx);
}

void dfd_cell(struct dfd_columns *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	cell(c, false, fmt, args);
	va_end(args);
}

void dfd_cell_right(struct dfd_columns *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	cell(c, true, fmt, args);
	va_end(args);
}

void dfd_rest(struct dfd_columns *c, const char *fmt, ...)
{
	va_list args;

	int len;

	if (c->measuring)
		return;
	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len <= 0)
		return;
	pay(c);
	va_start(args, fmt);
	vfprintf(c->out, fmt, args);
	va_end(args);
}

void dfd_line_end(struct dfd_columns *c)
{
	c->column = 0;
	c->owed = c->indent;
	if (!c->measuring)
		fputc('\n', c->out);
}

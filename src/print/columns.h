/* SPDX-License-Identifier: MIT */
/* Lines with aligned columns. */
#ifndef PRINT_COLUMNS_H
#define PRINT_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

#define DFD_MAX_COLUMNS 10

/**
 * struct dfd_columns - columns as wide as their widest cell
 * @out: where to print
 * @indent: spaces before each line
 *
 * Nothing is stored: the lines are produced twice, first to measure and then to print, by whoever
 * calls dfd_columns_run(). Both passes must produce the same. The other members are private.
 */
struct dfd_columns {
	FILE *out;
	unsigned int indent;
	bool measuring;
	unsigned int column, owed;
	unsigned int width[DFD_MAX_COLUMNS];
};

/** dfd_columns_run() - call @lines twice: to measure, and to print */
void dfd_columns_run(struct dfd_columns *c, void (*lines)(void *ctx), void *ctx);

/** dfd_cell() - the next cell of the line, flush left; may be empty */
void dfd_cell(struct dfd_columns *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** dfd_cell_right() - the same, flush right */
void dfd_cell_right(struct dfd_columns *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** dfd_rest() - free text after the cells, which may be called several times; not measured */
void dfd_rest(struct dfd_columns *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** dfd_line_end() - end the line, without trailing spaces */
void dfd_line_end(struct dfd_columns *c);

#endif

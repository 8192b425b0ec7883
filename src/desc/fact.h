/* SPDX-License-Identifier: MIT */
/* The list of <devfd/facts.h> as data, for the views that treat all facts alike. */
#ifndef DESC_FACT_H
#define DESC_FACT_H

#include <devfd/desc.h>

enum dfd_fact_kind { DFD_FACT_NUM, DFD_FACT_HEX, DFD_FACT_STR };
enum dfd_fact_tell { DFD_TELL_VALUE, DFD_TELL_PLUS1, DFD_TELL_YES };

/** struct dfd_fact_info - one line of <devfd/facts.h>; see there */
struct dfd_fact_info {
	uint32_t number;
	enum dfd_fact_kind kind;
	enum dfd_fact_tell tell;
	const char *sysfs;
	uint16_t config_offset;
	uint16_t config_width;
	const char *key;
	const char *meaning;
};

/** dfd_fact_infos - indexed by enum dfd_fact */
extern const struct dfd_fact_info dfd_fact_infos[DFD_NUM_FACTS];

/** dfd_fact_by_number() - Return: the fact with that record type, or -1 */
int dfd_fact_by_number(uint32_t number);

/** dfd_fact_topic() - Return: the topic that statements about this fact have */
enum dfd_topic dfd_fact_topic(enum dfd_fact fact);

#endif

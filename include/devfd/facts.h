/* SPDX-License-Identifier: MIT */
/*
 * Optional facts about a device, one line each.
 *
 * This list is the only place that knows them: the description stores them, the table carries
 * each as a record of its own type, CHECK_EXTENSION answers for the same number, text and JSON
 * print them, the sysfs source reads them, and the test that holds the views against each other
 * walks the list. A new fact is a new line.
 *
 * X(name, number, kind, tell, sysfs, config offset, config width, key, meaning)
 *
 *  number         record type in the table and id for VFIO_DEVICE_CHECK_EXTENSION; never reused
 *  kind           NUM (printed in decimal), HEX (printed in hexadecimal), STR (a string)
 *  tell           what CHECK_EXTENSION answers where the fact is known: VALUE the number itself (it
 *                 is never 0), PLUS1 the number plus one (0 is a possible value), YES just 1
 *                 (a string, what configuration space holds, or a number that an int cannot hold)
 *  sysfs          attribute of a PCI function in sysfs that holds it, or NULL
 *  config offset, width  where a PCI function's configuration space holds it, in bytes; width 0
 *                 where it does not
 *  key            its name in JSON
 *  meaning        its name in text
 */
#ifndef DEVFD_FACTS_H
#define DEVFD_FACTS_H

/* clang-format off */
#define DFD_FACTS(X)                                                                                     \
	X(MSI_VECTORS,         0x100, NUM, VALUE, NULL,               0,    0, "msi_vectors",        "MSI vectors") \
	X(MSIX_VECTORS,        0x101, NUM, VALUE, NULL,               0,    0, "msix_vectors",       "MSI-X vectors") \
	X(ERR_VECTORS,         0x102, NUM, VALUE, NULL,               0,    0, "err_vectors",        "error notifications") \
	X(REQ_VECTORS,         0x103, NUM, VALUE, NULL,               0,    0, "req_vectors",        "release-request notifications") \
	X(VENDOR_ID,           0x104, HEX, YES,   "vendor",           0x00, 2, "vendor",             "vendor id") \
	X(DEVICE_ID,           0x105, HEX, YES,   "device",           0x02, 2, "device",             "device id") \
	X(SUBSYSTEM_VENDOR_ID, 0x106, HEX, YES,   "subsystem_vendor", 0x2c, 2, "subsystem_vendor",   "subsystem vendor id") \
	X(SUBSYSTEM_ID,        0x107, HEX, YES,   "subsystem_device", 0x2e, 2, "subsystem_device",   "subsystem device id") \
	X(CLASS_CODE,          0x108, HEX, YES,   "class",            0x09, 3, "class",              "class code") \
	X(REVISION_ID,         0x109, HEX, YES,   "revision",         0x08, 1, "revision",           "revision id") \
	X(NUMA_NODE,           0x10a, NUM, PLUS1, "numa_node",        0,    0, "numa_node",          "NUMA node") \
	X(NAME,                0x110, STR, YES,   NULL,               0,    0, "name",               "name") \
	X(COMPATIBLE,          0x111, STR, YES,   NULL,               0,    0, "compatible",         "device-tree compatible")
/* clang-format on */

/** enum dfd_fact - the optional facts, by name */
enum dfd_fact {
#define DFD_FACT_ENUM(name, ...) DFD_FACT_##name,
	DFD_FACTS(DFD_FACT_ENUM)
#undef DFD_FACT_ENUM
		DFD_NUM_FACTS
};

#endif

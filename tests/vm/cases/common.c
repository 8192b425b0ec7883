/* SPDX-License-Identifier: MIT */
/* What the cases share. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

#define COMMAND	       4 /* of configuration space */
#define COMMAND_MASTER 4

const char *result(int64_t ret)
{
	static char text[32];

	if (ret < 0)
		return strerrorname_np((int)-ret);
	if (!ret)
		return "ok";
	snprintf(text, sizeof(text), "%" PRId64, ret);
	return text;
}

int reopen(void)
{
	dfd_device_close(dev);
	dev = NULL;
	return dfd_open(address, &dev, NULL);
}

bool is_pci(void)
{
	return dfd_desc_bus(dfd_device_desc(dev)) == DFD_BUS_PCI;
}

int command_register(void)
{
	uint16_t command = 0;

	return dfd_region_read(dev, DFD_PCI_CONFIG, COMMAND, &command, 2) == 2 ? command : -1;
}

void set_master(bool on)
{
	int command = command_register();
	uint16_t value = (uint16_t)(on ? command | COMMAND_MASTER : command & ~COMMAND_MASTER);

	if (command >= 0)
		dfd_region_write(dev, DFD_PCI_CONFIG, COMMAND, &value, 2);
}

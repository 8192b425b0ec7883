/* SPDX-License-Identifier: MIT */
/* A saved table as a described device. */
#ifndef FILE_SAVED_H
#define FILE_SAVED_H

#include <devfd/device.h>

/** dfd_saved_open() - open a file that dfd_save() wrote. Return: as dfd_open() */
int dfd_saved_open(const char *path, struct dfd_device **out, struct dfd_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* The fd and the paths for which no_kernel.c does nothing. */
#ifndef BENCH_NO_KERNEL_H
#define BENCH_NO_KERNEL_H

#define NO_KERNEL_FD   9999
#define NO_KERNEL_PATH "/sys/@"

#endif

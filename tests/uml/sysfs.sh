#!/bin/sh
# SPDX-License-Identifier: MIT
# A function as sysfs shows it, but for what is the machine's: in the guest, or under devfd run, which must
# show the same.
# usage: sysfs.sh FUNCTION
cd "/sys/bus/pci/devices/$1" || exit
while read -r start end flags; do
	echo "resource: $((end - start)) $flags"
done <resource
echo "config: $(wc -c <config) bytes"
for file in *; do
	case $file in
	config | irq | local_cpu* | numa_node | remove | rescan | reset* | resource*) ;;
	*) [ ! -f "$file" ] || echo "$file: $(tr '\n' ',' <"$file")" ;;
	esac
done

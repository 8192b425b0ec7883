#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo prints what tests/demo.txt says, in at most 40 lines and 5 seconds; figures that depend on
# machine and code are masked.
# usage: demo.sh ROOT BUILD            test
#        demo.sh --write ROOT BUILD    after a wanted change
set -u
write=
[ "$1" = --write ] && write=1 && shift
root=$1
# The seconds are those of a machine with nothing else to do.
limit=$(awk -v n="$(nproc)" '{ busy = 2 * $1 / n; print 5 * (busy > 1 ? busy : 1) }' /proc/loadavg)
out=$(timeout "$limit" "$root/scripts/demo" "$2") || { echo "the demo failed, or took more than $limit s"; exit 1; }
lines=$(echo "$out" | wc -l)
[ "$lines" -le 40 ] || { echo "the demo prints $lines lines"; exit 1; }
figures='/^(table|ioctl) (provider|user):/{ s/[0-9.]+/N/g; s/ +/ /g; }'
calls='s/^(  calls: table 1, ioctl) [0-9]+/\1 N/' # grows with the list of facts
stock='s/^(ext4 on devfd NVMe controller: written, compared, mounted again|\(not run: needs busybox.*\))$/(a file system, or how to get a kernel)/'
masked=$(echo "$out" | sed -E -e "$stock" -e 's,( --init ).*(/tests/uml/),\1..\2,' -e 's,^\$ .*(/scripts/compare --summary),$ ..\1,' -e "$figures" -e "$calls")
if [ -n "$write" ]; then
	echo "$masked" >"$root/tests/demo.txt"
else
	echo "$masked" | diff -u "$root/tests/demo.txt" -
fi

#!/bin/sh
# SPDX-License-Identifier: MIT
# In the guest: file after file, each said to be there once it is durable; ends by being killed.
set -eu
disk=/dev/nvme0n1
until [ -b $disk ]; do usleep 10000; done
mkfs.ext4 -q -F $disk
mount -t ext4 $disk /mnt
i=0
while :; do
	seq $i $((i + 5000)) | dd of=/mnt/$i conv=fsync 2>/dev/null
	echo $i
	i=$((i + 1))
done

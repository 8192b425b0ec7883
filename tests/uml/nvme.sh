#!/bin/sh
# SPDX-License-Identifier: MIT
# In the guest: a file system on an NVMe controller, by the stock driver, and what is on it afterwards.
set -eu
disk=/dev/nvme0n1
try=0
while [ ! -b $disk ]; do # the driver looks for disks when the guest is already running
	try=$((try + 1))
	[ $try -le 200 ] || { echo "no $disk"; exit 1; }
	usleep 10000
done

# 2 MB, no two lines alike.
seq 100000 399999 >/tmp/written

mkfs.ext4 -q -F $disk
mount -t ext4 $disk /mnt
cp /tmp/written /mnt/data
echo kept >/mnt/small
sync # and read again, from the disk, when it is mounted again
cmp /tmp/written /mnt/data
umount /mnt

mount -t ext4 $disk /mnt
cmp /tmp/written /mnt/data
[ "$(cat /mnt/small)" = kept ]
umount /mnt
e2fsck -fn $disk >/tmp/check 2>&1 || { cat /tmp/check; exit 1; }
echo "ext4 on $(cat /sys/class/nvme/nvme0/model | sed 's/ *$//'): written, compared, mounted again"

# SPDX-License-Identifier: MIT
# In the guest, behind a line `last=N`: the files up to that of write.sh, after a kill.
set -eu
disk=/dev/nvme0n1
until [ -b $disk ]; do usleep 10000; done
mount -t ext4 $disk /mnt
dmesg | grep -q 'EXT4-fs.*: recovery complete' && echo 'the journal was replayed'
i=0
while [ $i -le $last ]; do
	seq $i $((i + 5000)) | cmp - /mnt/$i || { echo "file $i of $last"; exit 1; }
	i=$((i + 1))
done
umount /mnt
e2fsck -fn $disk >/tmp/check 2>&1 || { cat /tmp/check; exit 1; }
echo 'all files are there'

# SPDX-License-Identifier: MIT
# The disk of an NVMe controller loses power, again and again, under the driver of a stock kernel:
# its server is killed, another one serves the same image to the next slot. See power.py.
. /lib.sh
. /edu.sh
wanted=/expect/disk # what is written: each block as it is here at the same place
block=4096
last=$(($(stat -c %s $wanted) / block - 1))
life=1
next=0 # the first block that nobody has tried to write

# ---- disks ----

disk_in() { # SLOT: the disk of its controller
	local found
	found=$(echo $sysfs/0000:0"$1":00.0/nvme/nvme*/nvme*n1)
	[ -e "$found" ] && echo "/dev/${found##*/}"
}

is_there() { # SLOT
	disk=$(disk_in "$1") && [ -b "$disk" ]
}

cut_power() {
	life=$((life + 1))
	echo "call next" >$report
	check "life-$life" wait_for is_there $life
}

# Durable only with the option. Busybox's own dd does not know both.
put() { # BLOCK [oflag=dsync|conv=fsync]
	/usr/bin/dd if=$wanted of="$disk" bs=$block skip="$1" seek="$1" count=1 oflag=direct \
		status=none ${2:+"$2"}
}

# ---- a writer, and what it was told is durable: lines of first and count in /tmp/durable.LIFE ----

# Five blocks at a time. The last one is followed by a flush, or is a write that must be durable.
write_round() { # FIRST
	local b=$1
	while [ $b -lt $(($1 + 4)) ]; do
		put $b || return
		b=$((b + 1))
	done
	if [ $(($1 / 5 % 2)) = 0 ]; then put $b oflag=dsync; else put $b conv=fsync; fi
}

write_on() { # FIRST
	local n=$1
	while [ $n -lt $((last - 10)) ]; do
		echo $((n + 5)) >/tmp/next
		write_round $n || return
		n=$((n + 5))
		echo "$1 $((n - $1))" >/tmp/durable.$life
	done
}

has_written() {
	[ -s /tmp/durable.$life ]
}

# The power goes while it writes; it ends because its disk does not answer any more.
cut_power_on_writer() {
	local writer
	write_on $next &
	writer=$!
	check "writes-$life" wait_for has_written
	usleep $((500000 + RANDOM * 30))
	cut_power
	wait $writer
	note "durable-$((life - 1))" "$(cat /tmp/durable.$((life - 1)))"
	next=$(cat /tmp/next)
}

part() { # FILE FIRST COUNT [IFLAG]
	dd if="$1" bs=$block skip="$2" count="$3" status=none ${4:+"$4"}
}

holds() { # FILE: the lines of it
	local first count
	while read -r first count; do
		part "$disk" "$first" "$count" iflag=direct >/tmp/there || return
		part $wanted "$first" "$count" | cmp - /tmp/there || return
	done <"$1"
}

holds_all() {
	cat /tmp/durable.* >/tmp/all
	holds /tmp/all
}

# What is acknowledged, but not flushed, is gone: or else this disk would show nothing.
is_forgotten() {
	! holds /tmp/unflushed >/tmp/differs && grep -q differ /tmp/differs
}

modprobe nvme
check life-1 wait_for is_there 1
for _ in 1 2 3; do
	cut_power_on_writer
	check "durable-after-$((life - 1))" holds_all
done
check unflushed put $last
echo "$last 1" >/tmp/unflushed
cut_power
check forgotten is_forgotten
check durable-after-$((life - 1)) holds_all
# This disk is deaf to what makes writes durable.
rm /tmp/durable.*
cut_power_on_writer
cp /tmp/durable.* /tmp/unflushed
check deaf-noticed is_forgotten

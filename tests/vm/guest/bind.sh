# SPDX-License-Identifier: MIT
# devfd bind, unbind and restore on Debian's own kernel. The host has put in a network card, a disk
# with room for a file system, and two functions in one group.
. /lib.sh
. /edu.sh
edu=0000:00:01.0
nvme=0000:00:02.0
nic=0000:00:03.0
shared=0000:00:05.0  # an edu beside
culprit=0000:00:05.1 # a network card, in the same group
port=0000:00:06.0    # a bridge

# All that a change of drivers can touch.
placements() {
	for f in $sysfs/*; do
		echo "${f##*/} $(driver "${f##*/}") $(cat "$f/driver_override")"
	done
}

snapshot() {
	placements
	ls /sys/bus/pci/drivers /run /run/devfd 2>/dev/null
	cat /run/devfd/drivers 2>/dev/null
	lsmod | cut -d ' ' -f 1 | sort
}

# changes_nothing COMMAND...: whatever becomes of it
changes_nothing() {
	snapshot >/tmp/before
	"$@"
	snapshot >/tmp/after
	diff /tmp/before /tmp/after
}

drivers_are() { # DRIVER BDF...
	local want=$1 bdf
	shift
	for bdf in "$@"; do same "$want" "$(driver "$bdf")" || return 1; done
}

nobody_remembered() {
	[ ! -e /run/devfd/drivers ]
}

override_is() { # TEXT BDF
	same "$1" "$(cat $sysfs/"$2"/driver_override)"
}

# What the network and the disk are worth shows that their drivers really work again.
has_interface() { # BDF
	ls $sysfs/"$1"/net
}

has_disk() { # BDF
	ls -d $sysfs/"$1"/nvme/nvme*/nvme*n1
}

# ---- nothing is changed ----

dry_runs() {
	check dry-run changes_nothing devfd bind --dry-run $nic $nvme
	check dry-run-group changes_nothing devfd bind -n --group $shared
	check dry-run-unbind changes_nothing devfd unbind -n $nic
	check dry-run-user as_user devfd bind -n $nic
	check as-user fails "run this as root" as_user devfd bind $nic
}

# The lines of a dry run, run by a shell, do what the command does.
plan_is_what_is_done() {
	devfd bind --dry-run $nic >/tmp/plan
	devfd bind --verbose $nic >/tmp/done
	check plan diff /tmp/plan /tmp/done
	placements >/tmp/by-devfd
	devfd restore
	sh -e /tmp/plan
	placements >/tmp/by-shell
	check plan-by-shell drivers_are vfio-pci $nic
	check plan-by-shell-same diff /tmp/by-devfd /tmp/by-shell
	echo >$sysfs/$nic/driver_override
	echo $nic >/sys/bus/pci/drivers/vfio-pci/unbind
	echo $nic >/sys/bus/pci/drivers/e1000e/bind
}

# ---- there and back ----

there_and_back() {
	check bind devfd bind $nic $nvme
	check bound drivers_are vfio-pci $nic $nvme
	check lsvfio lsvfio "pci:$nic"
	check lsvfio-disk lsvfio "pci:$nvme"
	check again changes_nothing devfd bind $nic
	check unbind devfd unbind $nic
	check unbound drivers_are "" $nic
	check unbound-stays override_is none $nic
	check restore-one devfd restore $nic
	check restored-one drivers_are e1000e $nic
	check restored-override override_is "(null)" $nic
	check other-stays drivers_are vfio-pci $nvme
	check restore devfd restore
	check restored drivers_are nvme $nvme
	check forgotten nobody_remembered
	check interface wait_for has_interface $nic
	check disk wait_for has_disk $nvme
}

# ---- groups ----

groups() {
	check group-refused fails "$culprit (e1000)" devfd bind $shared
	check group devfd bind --group $shared
	check group-bound drivers_are vfio-pci $shared $culprit
	check group-edu drive "pci:$shared"
	check group-restore devfd restore
	check group-restored drivers_are e1000 $culprit
	check group-free drivers_are "" $shared
	check bridge fails "is a bridge" devfd bind $port
}

# ---- failures half-way ----

# /dev/null in the place of a file of a driver: the write succeeds, and nothing comes of it.
half_way() {
	check missing fails "no such PCI function" devfd bind $nic 0000:7f:00.0
	check missing-nothing drivers_are e1000e $nic
	rmmod vfio-pci
	mount -o bind /dev/null /lib/modules/"$(uname -r)"/vfio-pci.ko
	check no-module fails "install its module" devfd bind $nic
	check no-module-one-line same 1 "$(wc -l </tmp/fails.err)"
	check no-module-nothing drivers_are e1000e $nic
	umount /lib/modules/"$(uname -r)"/vfio-pci.ko
	modprobe vfio-pci
	# A driver of the host that will not let go: what was bound before it comes back.
	mount -o bind /dev/null /sys/bus/pci/drivers/e1000/unbind
	check half-way fails "all was put back" devfd bind $nic $nvme $shared $culprit
	check half-way-nic drivers_are e1000e $nic
	check half-way-disk drivers_are nvme $nvme
	check half-way-override override_is "(null)" $nic
	check half-way-forgotten nobody_remembered
	umount /sys/bus/pci/drivers/e1000/unbind
	check half-way-interface wait_for has_interface $nic
	# vfio-pci never takes it: that is waited for, but not for ever.
	mount -o bind /dev/null /sys/bus/pci/drivers/vfio-pci/bind
	check not-taken fails "all was put back" devfd bind $nic
	check not-taken-nic drivers_are e1000e $nic
	umount /sys/bus/pci/drivers/vfio-pci/bind
}

# Killed between two writes: the write to a FIFO does not end before the process does.
killed() {
	mkfifo /tmp/fifo
	mount -o bind /tmp/fifo /sys/bus/pci/drivers/vfio-pci/bind
	devfd bind $nic $nvme &
	victim=$!
	wait_for drivers_are "" $nic
	kill -9 $victim
	wait $victim
	umount /sys/bus/pci/drivers/vfio-pci/bind
	check killed drivers_are "" $nic
	check killed-restore devfd restore -v
	check killed-restored drivers_are e1000e $nic
	check killed-forgotten nobody_remembered
}

# ---- what the host needs, and what is in use ----

needed() {
	local eth
	eth=$(ls $sysfs/$nic/net)
	ifconfig "$eth" 10.0.2.15 netmask 255.255.255.0 up
	route add default gw 10.0.2.2
	check route changes_nothing fails "the only default route is by $eth" devfd bind $nic
	route del default
	check login fails "your connection from 10.0.2.9 goes by $eth" \
		env SSH_CONNECTION="10.0.2.9 1 10.0.2.15 22" devfd bind $nic
	ifconfig "$eth" down
	check no-route devfd bind $nic
	check no-route-back devfd restore
	disk=/dev/$(basename "$(has_disk $nvme)")
	mkswap "$disk"
	swapon "$disk"
	check swap changes_nothing fails "swap space is on ${disk#/dev/}" devfd unbind $nvme
	swapoff "$disk"
	modprobe -a crc32c_generic ext4
	mke2fs "$disk"
	mkdir -p /mnt
	mount -t ext2 "$disk" /mnt
	check mounted changes_nothing fails "the file system at /mnt is on ${disk#/dev/}" \
		devfd bind $nvme
	check still-mounted touch /mnt/file
	umount /mnt
	check unmounted devfd bind $nvme
	check unmounted-back devfd restore
}

in_use() {
	check in-use-bind devfd bind $edu
	check in-use-hold hold pci:$edu 0 --stubborn
	check in-use fails "process $holder (vm-hold)" timeout 20 devfd unbind --force $edu
	check in-use-restore fails "process $holder (vm-hold)" timeout 20 devfd restore
	kill $holder
	wait $holder
	check in-use-after devfd restore
	check in-use-free drivers_are "" $edu
}

modprobe -a nvme e1000 e1000e
check interface-first wait_for has_interface $nic
check disk-first wait_for has_disk $nvme
dry_runs
modprobe vfio_iommu_type1
plan_is_what_is_done
there_and_back
groups
half_way
killed
needed
in_use

# SPDX-License-Identifier: MIT
# Devices that processes of the host serve to QEMU by vfio-user, under the drivers of a stock
# kernel. devfd.part=NAME on the kernel's command line: each part is one QEMU.
. /lib.sh
. /edu.sh
edu=0000:00:01.0
nvme=0000:00:02.0
echoing=0000:00:03.0 # a serial card that brings back what it is sent
writing=0000:00:04.0 # one that writes it to a file of the host
own=0000:00:05.0     # QEMU's own NVMe controller
hot=0000:01:00.0     # an edu in a slot that can be unplugged
disk=/dev/nvme0n1
wanted=/expect/disk
part=$(sed -n 's/.*devfd.part=\([a-z]*\).*/\1/p' /proc/cmdline)

has_disk() {
	[ -b $disk ]
}

holds() { # FILE: all of the disk, past the guest's cache
	dd if=$disk bs=64k iflag=direct status=none | cmp - "$1"
}

fill() { # FILE
	dd if="$1" of=$disk bs=64k oflag=direct conv=fsync status=none
}

fill_and_compare() { # FILE
	fill "$1" && holds "$1"
}

reset_controller() {
	timeout 60 sh -c "echo 1 >/sys/class/nvme/nvme0/reset_controller" && wait_for is_live
}

is_live() {
	[ "$(cat /sys/class/nvme/nvme0/state)" = live ]
}

# Requests that the reset meets on their way are sent again by the driver.
reset_while_writing() {
	local writer
	(until [ -e /tmp/enough ]; do fill $wanted || exit; done) &
	writer=$!
	sleep 0.2
	reset_controller && sleep 0.2 && reset_controller
	touch /tmp/enough
	wait $writer && is_live && holds $wanted
}

# By single blocks, buffered: the page cache writes them back in another order and size.
rewrite_by_blocks() {
	dd if=$wanted of=$disk bs=512 count=2048 status=none && sync && holds $wanted
}

find_nvme() {
	[ ! -d /lib/modules ] || modprobe -a nvme vfio-pci vfio_iommu_type1
	check nvme-disk wait_for has_disk
	check nvme-driver same nvme "$(driver $nvme)"
	check nvme-size same "$(stat -c %s $wanted)" "$(($(cat /sys/block/nvme0n1/size) * 512))"
	note nvme "$(cat /sys/class/nvme/nvme0/model)"
}

# ---- serial cards ----

port_of() { # BDF
	local port
	for port in /sys/class/tty/ttyS*; do
		readlink -f "$port" | grep -q "/$1/" && basename "$port"
	done
}

open_port() { # BDF
	same serial "$(driver "$1")" || return 1
	port=/dev/$(port_of "$1")
	stty -F "$port" raw -echo 115200
}

# More than one FIFO at a time, so that interrupts have to come.
echoes() {
	local reader
	open_port $echoing || return 1
	head -c 3000 $wanted >/tmp/sent
	head -c 3000 "$port" >/tmp/echo &
	reader=$!
	sleep 0.5
	cat /tmp/sent >"$port"
	wait_for cmp -s /tmp/sent /tmp/echo && return
	kill $reader
	cmp /tmp/sent /tmp/echo
}

sends() {
	open_port $writing || return 1
	timeout 60 sh -c "head -c 10000 $wanted >$port"
}

# ---- drivers in the guest's user space, through its VFIO ----

drive_nvme() { # ADDRESS [OPTION]
	nvme "$@" identify && nvme "$@" write 100 500 "$seed" &&
		nvme "$@" verify 100 500 "$seed" &&
		fails "holds other bytes" nvme "$@" verify 100 500 $((seed + 1))
}

# From the kernel's driver and back.
nvme_checks() {
	bind $nvme vfio-pci
	check nvme-vfio drive_nvme pci:$nvme
	check nvme-vfio-poll drive_nvme pci:$nvme --poll
	check nvme-back bind $nvme nvme
	check nvme-back-disk wait_for has_disk
	check nvme-back-write fill_and_compare $wanted
	bind $own vfio-pci
	check own-nvme-vfio drive_nvme pci:$own
}

unplug() {
	bind $hot vfio-pci
	check unplug-hold hold pci:$hot 0
	echo "host device_del hot" >$report
	check unplug-asked held_until 0 "asked to give it back"
	check unplug-gone wait_for absent $hot
}

# ---- reboot: an IOMMU in the guest, which reboots once; QEMU dies while it writes ----

is_blank() {
	[ "$(head -c 4096 $disk | tr -d '\0' | wc -c)" = 0 ]
}

before_reboot() {
	check nvme-write fill_and_compare $wanted
	check nvme-blocks rewrite_by_blocks
	check nvme-reset reset_controller
	check nvme-after-reset holds $wanted
	check nvme-reset-writing reset_while_writing
	reboot -f
}

after_reboot() {
	check nvme-after-reboot holds $wanted
	check nvme-write-after-reboot fill_and_compare $wanted
	bind $edu vfio-pci
	edu_checks $edu
	nvme_checks
	unplug
	check serial-echo echoes
	check serial-send sends
	(while :; do fill $wanted; done) &
	sleep 0.5
	echo done >$report
	echo "kill qemu" >$report
	sleep 60
}

# ---- messages: the servers cannot see the guest's memory, and ask QEMU for each piece ----

by_messages() {
	check nvme-next-client holds $wanted
	check nvme-write fill_and_compare /tmp/zeros
	check nvme-reset-writing reset_while_writing
}

# ---- death: no IOMMU, the same servers; then the NVMe server dies ----

# An identity register, by the driver's way to BARs: the command register first.
edu_identity() {
	local bar
	echo 1 >$sysfs/$edu/enable
	bar=$(head -n 1 $sysfs/$edu/resource | cut -d ' ' -f 1)
	same 0x010000ED "$(devmem "$bar" 32)"
}

read_fails() {
	timeout 90 dd if=$disk of=/dev/null bs=64k iflag=direct
	[ $? != 0 ]
}

server_dies() {
	check edu-next-client edu_identity
	check nvme-next-client holds $wanted
	check nvme-zeros fill_and_compare /tmp/zeros
	check nvme-write-again fill_and_compare $wanted
	echo "kill nvme" >$report
	sleep 1
	check nvme-server-gone read_fails
	check edu-beside edu_identity
}

dd if=/dev/zero of=/tmp/zeros bs=64k count=$(($(stat -c %s $wanted) / 65536)) status=none
find_nvme
case $part in
reboot) if is_blank; then before_reboot; else after_reboot; fi ;;
messages) by_messages ;;
death) server_dies ;;
esac

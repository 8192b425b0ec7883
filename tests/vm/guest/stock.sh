# SPDX-License-Identifier: MIT
# Debian's own kernel: devices behind an IOMMU, through groups. The host has put them in.
. /lib.sh
. /edu.sh
edu=0000:00:01.0
nvme=0000:00:02.0
nic=0000:00:03.0
shared=0000:00:05.0  # an edu beside
culprit=0000:00:05.1 # a network card, in the same slot without ACS: the same group
hot=0000:01:00.0     # an edu in a slot that can be unplugged
torn=0000:02:00.0    # another one
port=0000:00:07.0    # the slot of that
far=0000:81:00.0     # an edu without an IOMMU

state() { # BDF: the line of lsvfio about it
	lsvfio | grep -F "$1"
}

group_says() { # WORDS: in what lsvfio -g tells about the group of $shared
	lsvfio -g | awk -v want="$(group $shared)" '$1 == "group" { on = $2 == want } on' |
		tee /tmp/group
	grep -qF -e "$1" /tmp/group
}

state_is() { # WORDS BDF
	state "$2" && state "$2" | grep -qF -e "$1"
}

# ---- what the machine is like, before anything is bound ----

# No module is loaded yet.
no_vfio() {
	lsvfio
	check host-no-vfio host_line_has "vfio-pci not loaded"
	check no-vfio-state state_is idle $edu
	modprobe -a nvme e1000 e1000e
}

machine() {
	lsvfio
	check host-vfio host_line_has "intel"
	check alone same 1 "$(ls $sysfs/$edu/iommu_group/devices | wc -l)"
	check together same "$(group $shared)" "$(group $culprit)"
	check host-drivers same "nvme e1000e e1000" \
		"$(driver $nvme) $(driver $nic) $(driver $culprit)"
	check state-idle state_is idle $edu
	check no-group test ! -e $sysfs/$far/iommu_group
	check state-no-iommu state_is "no IOMMU" $far
}

# ---- failures: each names its cause; done what it says, the retry passes ----

no_iommu() {
	bind $far vfio-pci
	refused no-iommu "not behind it" edu pci:$far 5
}

unbound() {
	refused unbound "is bound to no driver; as root: devfd bind $edu" edu pci:$edu 5
	check unbound-remedy follow_advice
	refused no-type1 "vfio_iommu_type1 is not loaded" edu pci:$edu 5
	check no-type1-remedy follow_advice
	check unbound-retry drive pci:$edu
	check state-ok state_is OK $edu
}

other_driver() {
	refused other-driver "bound to nvme" lsvfio pci:$nvme
	check other-driver-remedy follow_advice
	check other-driver-retry lsvfio pci:$nvme
}

not_viable() {
	bind $shared vfio-pci
	refused not-viable "$culprit is in it, too, and is bound to e1000" edu pci:$shared 5
	check groups group_says "together: functions of one device"
	check groups-culprit group_says "$culprit  8086:100e  host (e1000)"
	check state-not-viable state_is "NOT VIABLE: $culprit (e1000)" $shared
	check not-viable-remedy follow_advice
	check not-viable-retry drive pci:$shared
	check state-viable state_is OK $shared
}

busy() {
	check hold hold pci:$edu 0 --stubborn
	refused busy "process $holder (vm-hold)" edu pci:$edu 5
	check state-busy state_is "busy (pid $holder vm-hold)" $edu
	kill $holder
	wait $holder
	check busy-retry drive pci:$edu
}

limited() { # KIB COMMAND...
	local kib=$1
	shift
	(ulimit -l "$kib" && as_user "$@")
}

permission() {
	refused no-access "/dev/vfio/$(group $edu)" as_user edu pci:$edu 5
	check state-no-access as_user "lsvfio | grep -F $edu | grep -qF 'no access'"
	check no-access-remedy follow_advice
	check no-access-retry as_user edu pci:$edu 5
	refused memlock "ulimit -l" limited 4 edu pci:$edu 5
	check memlock-retry limited 64 edu pci:$edu 5
	chown root /dev/vfio/"$(group $edu)"
}

# No map at all is left: type 1 counts down from here for each container.
entries() {
	local limit=/sys/module/vfio_iommu_type1/parameters/dma_entry_limit
	echo 0 >$limit
	check entries fails $limit edu pci:$edu 5
	check entries-errno fails "ENOSPC: pci:$edu" vm-open pci:$edu
	echo 65535 >$limit
	check entries-retry drive pci:$edu
}

# Where the interrupt messages go, no memory can be. The message lists where it can.
iova() {
	refused iova "outside of what the IOMMU takes" vm-ask pci:$edu 0xfee00000
	check iova-list grep -q 0x0-0xfedfffff /tmp/advice
	check iova-retry vm-ask pci:$edu 0xfedff000
	check iova-any vm-ask pci:$edu any
}

# ---- devices ----

views() {
	for name in nvme nic; do
		eval "bdf=\$$name"
		bind "$bdf" vfio-pci
		lsvfio -v pci:"$bdf"
		check $name-views views_agree pci:"$bdf"
		check $name-hexdump hexdump_shows_table pci:"$bdf"
		check $name-msix vm-msix pci:"$bdf" fixed
	done
}

# ---- a device that goes away while a driver polls it ----

# Asked nicely, the driver gives the device back, and only then it leaves.
unplug_asked() {
	bind $hot vfio-pci
	check unplug-hold hold pci:$hot 0
	echo "host device_del hot" >$report
	check unplug-asked held_until 0 "asked to give it back"
	check unplug-gone wait_for absent $hot
	check unplug-open fails $hot edu pci:$hot 5
}

byte() { # FILE OFFSET
	od -A n -t u1 -j "$2" -N 1 "$1" | tr -d ' '
}

slot_control() { # PORT: offset of the register in its PCI Express capability
	local config=$sysfs/$1/config cap
	cap=$(byte "$config" 52)
	while [ "$cap" != 0 ] && [ "$(byte "$config" "$cap")" != 16 ]; do
		cap=$(byte "$config" $((cap + 1)))
	done
	echo $((cap + 24))
}

# The power indicator blinks while the kernel prepares to switch the slot off.
blinks() { # PORT
	[ $(($(byte $sysfs/"$1"/config $(($(slot_control "$1") + 1))) & 3)) = 2 ]
}

# Power off and its indicator off: what is in the slot leaves at once. Not a word to the kernel.
cut_power() { # PORT
	local config=$sysfs/$1/config at low
	at=$(slot_control "$1")
	low=$(printf '\\%03o' "$(byte "$config" "$at")")
	printf "$low"'\007' | dd of="$config" bs=2 seek=$((at / 2)) conv=notrunc
}

# Unplugged under a driver that does not listen: no call fails to return.
unplug_torn() {
	bind $torn vfio-pci
	check torn-hold hold pci:$torn 0 --stubborn
	echo "host device_del torn" >$report
	check torn-blinks wait_for blinks $port
	check torn-power cut_power $port
	check torn-driver held_until 3 "gone:"
	check torn-open fails "answers all ones" timeout 20 edu pci:$torn 5
	# The kernel finds the power off already, and leaves the rest to the administrator.
	check torn-remove timeout 20 sh -c "echo 1 >$sysfs/$torn/remove"
	check torn-gone absent $torn
}

no_vfio
machine
unbound
no_iommu
other_driver
edu_checks $edu
not_viable
busy
permission
entries
iova
views
unplug_asked
unplug_torn

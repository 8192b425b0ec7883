# SPDX-License-Identifier: MIT
# Every way to a device that a newer kernel has: the device's own file, its group.
. /lib.sh
. /edu.sh
edu=0000:00:01.0 nvme=0000:00:02.0 one=0000:01:00.0 two=0000:01:00.1 pf=0000:02:00.0
shared=0000:03:00.0 culprit=0000:03:00.1 # an edu, and a disk that the host drives, in one group

ways() {
	local way
	for way in cdev group; do
		check edu-$way drive "pci:$edu?via=$way"
		check edu-$way-raw drive_raw "pci:$edu?via=$way"
		check edu-$way-answers answers "pci:$edu?via=$way"
		check edu-$way-views views_agree "pci:$edu?via=$way"
		check edu-$way-alone alone $way
		check edu-$way-shim through_shim $way
		check nvme-$way nvme_works "pci:$nvme?via=$way"
	done
	check nvme-alone nvme_alone
	check edu-any drive "pci:$edu"
}

# Drivers without the library print what those with it print of the model, or of the same disk.
alone() { # WAY
	raw-vfio-edu "$1" $edu "$n" "$seed" >/tmp/drive && diff /expect/edu /tmp/drive
}

# The same program below devfd run, which has the kernel's device under another name.
through_shim() { # WAY
	devfd run --device 0000:00:1e.0="pci:$edu?via=$1" -- \
		raw-vfio-edu "$1" 0000:00:1e.0 "$n" "$seed" >/tmp/drive && diff /expect/edu /tmp/drive
}

nvme_alone() {
	local command
	for command in identify "write 300 50 $seed" "verify 300 50 $seed" "read 300 50"; do
		raw-nvme $nvme $command >/tmp/alone && nvme pci:$nvme $command >/tmp/drive || return 1
		diff /tmp/drive /tmp/alone || return 1
	done
	cat /tmp/alone
}

nvme_works() { # ADDRESS
	nvme "$1" identify && nvme "$1" write 100 50 "$seed" && nvme "$1" verify 100 50 "$seed"
}

abilities() { # ADDRESS TEXT...: lsvfio -v must print each of them
	lsvfio -v "$1" >/tmp/abilities || return 1
	shift
	cat /tmp/abilities
	for text; do
		grep -qF -e "$text" /tmp/abilities || { echo "lacks: $text"; return 1; }
	done
}

limits() {
	check limits-group abilities "pci:$edu?via=group" "pages of 4 KiB, 2 MiB, 1 GiB; 65535 more maps" \
		"memlock of this process 0 B used of 8 MiB" "0x0-0xfedfffff"
	check limits-cdev abilities "pci:$edu?via=cdev" "pages of 4 KiB; memlock" \
		"memlock of this user 0 B used of 8 MiB" "0x0-0xfedfffff"
}

# Which step of opening fails, by what lsvfio --check exits with; the others are in faults.sh.
steps() {
	local way
	check step-device ends_at 11 pci:0000:00:1e.0
	for way in cdev group; do
		check steps-$way ends_at 0 "pci:$edu?via=$way"
	done
	mv /dev/vfio/vfio /tmp/container
	check step-files ends_at 17 "pci:$edu?via=group"
	mv /tmp/container /dev/vfio/vfio
}

# Vectors of MSI-X, which this kernel adds one by one.
msix() {
	local way
	for way in cdev group; do
		check msix-$way vm-msix "pci:$nvme?via=$way"
		check msix-flags-$way abilities "pci:$nvme?via=$way" \
			"INTx      1  evfd+ mask+ auto+ noresize-" \
			"MSI-X    65  evfd+ mask- auto- noresize-"
	done
}

# One device writes to registers of another, which only an iommufd can map for it.
peer() {
	bind $one vfio-pci
	unbind $two
	check peer vm-peer "pci:$edu?via=cdev" "pci:$one?via=cdev"
	check peer-unmapped views_agree "pci:$edu?via=cdev"
	refused peer-group "is no memory that can be mapped here" \
		vm-peer "pci:$edu?via=group" "pci:$one?via=cdev"
}

# A container that an iommufd plays.
compat() {
	mv /dev/vfio/vfio /tmp/container
	ln -s /dev/iommu /dev/vfio/vfio
	check compat-edu drive "pci:$edu?via=group"
	check compat-answers answers "pci:$edu?via=group"
	check compat-limits abilities "pci:$edu?via=group" "pages of 4 KiB, 2 MiB, 1 GiB; memlock" \
		"0x0-0xfedfffff"
	rm /dev/vfio/vfio
	mv /tmp/container /dev/vfio/vfio
}

# Two functions behind one port: they are reset together, and only if this process may.
hot_reset() { # WAY
	bind $one vfio-pci
	check reset-$1-foreign abilities "pci:$one?via=$1" "hot reset   not now: $two" "not ours"
	bind $two vfio-pci
	check reset-$1-possible abilities "pci:$one?via=$1" "hot reset   possible" "$two  vfio-pci"
	check reset-$1-twice vm-pair "pci:$one?via=$1" "pci:$two?via=$1"
	unbind $two
}

ls -l /dev/vfio /dev/vfio/devices /dev/iommu
check bind-edu bind $edu vfio-pci
check bind-nvme bind $nvme vfio-pci
ls -l /dev/vfio /dev/vfio/devices
ways
limits
steps
msix
peer
compat
hot_reset group
hot_reset cdev
bind $one vfio-pci
unbind $two
. /faults.sh

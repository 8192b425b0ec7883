# SPDX-License-Identifier: MIT
# Every way to a device that a newer kernel has: the device's own file, its group.
. /lib.sh
. /edu.sh
edu=0000:00:01.0 nvme=0000:00:02.0

ways() {
	local way
	for way in cdev group; do
		check edu-$way drive "pci:$edu?via=$way"
		check edu-$way-raw drive_raw "pci:$edu?via=$way"
		check edu-$way-answers answers "pci:$edu?via=$way"
		check edu-$way-views views_agree "pci:$edu?via=$way"
		check nvme-$way nvme_works "pci:$nvme?via=$way"
	done
	check edu-any drive "pci:$edu"
}

nvme_works() { # ADDRESS
	nvme "$1" identify && nvme "$1" write 100 50 "$seed" && nvme "$1" verify 100 50 "$seed"
}

ls -l /dev/vfio /dev/vfio/devices /dev/iommu
check bind-edu bind $edu vfio-pci
check bind-nvme bind $nvme vfio-pci
ls -l /dev/vfio /dev/vfio/devices
ways

# SPDX-License-Identifier: MIT
# An IOMMU that does not remap interrupts. seven.sh goes on from here.
. /lib.sh
. /edu.sh
edu=0000:00:01.0

unsafe() {
	[ ! -d /lib/modules ] || modprobe -a vfio-pci vfio_iommu_type1
	bind $edu vfio-pci
	check host-unsafe host_line_has "interrupt remapping no"
	refused unsafe "without interrupt remapping" edu pci:$edu 5
	check unsafe-step ends_at 16 pci:$edu
	check unsafe-remedy follow_advice
	check unsafe-retry drive pci:$edu
}

unsafe

# SPDX-License-Identifier: MIT
# A machine without an IOMMU: every device can reach all of memory, and is used only if asked for.
. /lib.sh
. /edu.sh
edu=0000:00:01.0

refused no-iommu "is in no IOMMU group" edu pci:$edu 5
check no-iommu-step ends_at 12 pci:$edu
refused off "the kernel does not hand out devices without an IOMMU" edu "pci:$edu?via=noiommu" 5
check off-remedy follow_advice
check bound same vfio-pci "$(driver $edu)"
refused unasked "has no IOMMU, so its DMA can reach all memory" edu pci:$edu 5
ls -l /dev/vfio /dev/vfio/devices
check raw-edu drive_raw "pci:$edu?via=noiommu"
check views views_agree "pci:$edu?via=noiommu"
check steps ends_at 0 "pci:$edu?via=noiommu"
check hexdump hexdump_shows_table "pci:$edu?via=noiommu"
check matrix matrix noiommu="pci:$edu?via=noiommu"
if [ -e /dev/vfio/devices/noiommu-vfio0 ]; then
	check page vm-page "pci:$edu?via=noiommu"
	echo 0 >$huge_pages
	refused no-huge-page "1 of 2048 KiB are needed, and 0 of 0 are free" \
		vm-page "pci:$edu?via=noiommu" huge
	check no-huge-page-remedy follow_advice
	check huge-page vm-page "pci:$edu?via=noiommu" huge
	check by-file vm-page cdev:noiommu-vfio0
	rm -f /dev/vfio/devices/noiommu-vfio0
fi
check by-group-matrix matrix noiommugroup="pci:$edu?via=noiommu"
check by-group drive_raw "pci:$edu?via=noiommu"
refused by-group-dma "no memory that the device can reach" vm-page "pci:$edu?via=noiommu"

# SPDX-License-Identifier: MIT
# The kernel's own tests of VFIO, on the devices that ours have: what they say of the kernel is so.
. /lib.sh
. /edu.sh
nvme=0000:00:02.0
igb=0000:00:03.0

# Exit status 4: all of its cases are for other devices.
passes() { # PROGRAM ARGUMENT...
	local rc
	timeout 200 "/selftests/$@" >/tmp/self 2>&1
	rc=$?
	grep -E "not ok|# Totals|SKIP" /tmp/self
	[ $rc = 0 ] || [ $rc = 4 ] && return
	tail -n 20 /tmp/self
	return 1
}

totals() {
	sed -n 's/^# Totals: //p' /tmp/self
}

for name in nvme igb; do
	eval "bdf=\$$name"
	bind "$bdf" vfio-pci
	check $name-bound same vfio-pci "$(driver "$bdf")"
	for program in vfio_dma_mapping_test vfio_dma_mapping_mmio_test vfio_iommufd_setup_test \
		vfio_pci_device_test; do
		check $name-$program passes $program "$bdf"
		note $name-$program "$(totals)"
	done
done
# One way to memory: all of them would take minutes.
check igb-driver passes vfio_pci_driver_test -v iommufd $igb
note igb-driver "$(totals)"

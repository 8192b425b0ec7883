# SPDX-License-Identifier: MIT
# In the guest, behind a line `build=... here=...`, with the root directory of this machine: a program
# drives the card by VFIO, which reads and writes registers where nothing can be mapped. The three ways
# of asking for it agree.
set -eu
function=0000:00:00.0
for dir in "$build" "$here"; do
	[ ! -e "$dir" ] || continue # else it is below /tmp or /run, which are the guest's own
	mkdir -p "$dir"
	mount -t hostfs -o "ro,$dir" hostfs "$dir"
done
PATH=$build/tools:$build/examples:$PATH
echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
echo vfio-pci >/sys/bus/pci/devices/$function/driver_override
echo $function >/sys/bus/pci/drivers_probe
sh "$here/sysfs.sh" $function
address="pci:$function?via=noiommu"
devfd run --at /dev/edu="$address" -- raw-edu /dev/edu 10
lsvfio --via=both "$address" | grep -o '[0-9]* differences'

# SPDX-License-Identifier: MIT
# Debian's own kernel: devices behind an IOMMU, through groups. The host has put these in:
. /lib.sh
edu=0000:00:01.0
nvme=0000:00:02.0
nic=0000:00:03.0
shared=0000:00:05.0  # an edu, beside
culprit=0000:00:05.1 # a network card, in the same slot without ACS: the same group

for d in $sysfs/*; do
	echo "$(basename "$d") $(cat "$d/vendor") $(cat "$d/device") group $(group "$(basename "$d")") $(driver "$(basename "$d")")"
done
lsvfio
note sha256 "$(sha256sum /devfd/examples/edu | cut -d " " -f 1)"
check alone same 1 "$(ls $sysfs/$edu/iommu_group/devices | wc -l)"
check together same "$(group $shared)" "$(group $culprit)"
check host-drivers same "nvme e1000e e1000" "$(driver $nvme) $(driver $nic) $(driver $culprit)"

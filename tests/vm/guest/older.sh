# SPDX-License-Identifier: MIT
# The matrix on Debian's own kernel, which has groups and type 1 alone.
. /lib.sh
. /edu.sh
edu=0000:00:01.0 nvme=0000:00:02.0 one=0000:01:00.0 two=0000:01:00.1

modprobe -a vfio-pci vfio_iommu_type1
for bdf in $edu $nvme $one $two; do
	check bind-$bdf bind $bdf vfio-pci
done
check matrix matrix group61=pci:$edu nvme61=pci:$nvme slot61=pci:$one

# SPDX-License-Identifier: MIT
# The matrix on a newer kernel: every way to a device behind an IOMMU, and models beside them.
. /lib.sh
. /edu.sh
edu=0000:00:01.0 nvme=0000:00:02.0 one=0000:01:00.0 two=0000:01:00.1

# A container that an iommufd plays.
compat() {
	mv /dev/vfio/vfio /tmp/container
	ln -s /dev/iommu /dev/vfio/vfio
	check compat-matrix matrix compat="pci:$edu?via=group"
	rm /dev/vfio/vfio
	mv /tmp/container /dev/vfio/vfio
}

# Two functions of a slot, both ours and not.
slot_matrices() {
	check slot-matrix matrix slotgroup="pci:$one?via=group" slot="pci:$one?via=cdev"
	unbind $two
	check foreign-matrix matrix foreign="pci:$one?via=cdev"
}

# The model in this process and in another one, and the device of the kernel, too.
matrices() {
	truncate -s 1M /tmp/nvme.img
	devfd serve model:edu --socket /tmp/model.sock &
	devfd serve "pci:$one" --socket /tmp/real.sock &
	wait_for test -S /tmp/model.sock
	wait_for test -S /tmp/real.sock
	matrix model=model:edu modeldtb=model:pl011 user=user:/tmp/model.sock served=user:/tmp/real.sock \
		group="pci:$edu?via=group" cdev="pci:$edu?via=cdev" \
		nvmemodel=model:nvme,image=/tmp/nvme.img nvmegroup="pci:$nvme?via=group" \
		nvme="pci:$nvme?via=cdev"
}

# DMA of 4 KiB and of huge pages; the host looks at the entries of the IOMMU's tables.
pages() {
	local way
	echo 1 >$huge_pages
	for way in group cdev; do
		check page-$way vm-page "pci:$edu?via=$way"
		note page-$way "$(sed -n 's/^pages at //p' /tmp/check)"
		check huge-page-$way vm-page "pci:$edu?via=$way" huge
		note huge-page-$way "$(sed -n 's/^pages at //p' /tmp/check)"
	done
}

for bdf in $edu $nvme $one $two; do
	check bind-$bdf bind $bdf vfio-pci
done
pages
compat
slot_matrices
check matrix matrices

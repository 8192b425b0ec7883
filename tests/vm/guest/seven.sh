# SPDX-License-Identifier: MIT
# Kernel 7.3, and sample devices that it makes itself (mediated devices), which need no IOMMU.
. /unsafe.sh

# make_mdev PARENT TYPE UUID
make_mdev() {
	echo "$3" >/sys/class/mdev_bus/"$1"/mdev_supported_types/"$1-$2"/create
	test -e /sys/bus/mdev/devices/"$3"
}

# The features that lsvfio lists, as they are in the file.
features() { # NAME ADDRESS
	lsvfio -vv "$2" | sed -n '/^  features$/,/^  [^ ]/{/ -$/d;s/^    */'"$1 /p}" >/tmp/features
	cat /tmp/features
	grep "^$1 " /features.txt | diff - /tmp/features
}

region_named() { # ADDRESS TEXT
	lsvfio -v "$1" | grep -F -e "$2"
}

mdev_checks() { # NAME UUID
	lsvfio -v mdev:"$2"
	check "$1"-views views_agree mdev:"$2"
	check "$1"-hexdump hexdump_shows_table mdev:"$2"
	check "$1"-features features "$1" mdev:"$2"
}

# The line status of a UART that has nothing to do, through the file layout of the device's fd.
line_status() { # ADDRESS
	devfd run --at /dev/it="$1" -- dd if=/dev/it bs=1 skip=$(((1 << 40) + 5)) count=1 \
		status=none | od -A n -t x1
}

mdevs() {
	local serial=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 display=93b8f4f2-509f-382f-3c1e-e6bfe0fa1002
	local other=83b8f4f2-509f-382f-3c1e-e6bfe0fa1003 another=93b8f4f2-509f-382f-3c1e-e6bfe0fa1004 way
	check mtty make_mdev mtty 2 $serial
	mdev_checks mtty $serial
	check mtty-register same " 60" "$(line_status mdev:$serial)"
	# Its container has no IOMMU to keep up with, so that takes a second.
	check full vm-full "mdev:$serial?via=group"
	check mtty-other make_mdev mtty 2 $other
	for way in cdev group; do
		check migrate-$way vm-migrate "mdev:$serial?via=$way" "mdev:$other?via=$way"
	done
	check mbochs make_mdev mbochs small $display
	mdev_checks mbochs $display
	check mbochs-edid region_named mdev:$display "graphics EDID"
	check mbochs-off region_named mdev:$display "display     by dma-buf, off"
	check mbochs-display vm-display mdev:$display
	check mbochs-other make_mdev mbochs small $another
	check mbochs-run devfd run --device 0000:00:1f.0=mdev:$another -- vm-display pci:0000:00:1f.0
	check matrix matrix mtty=mdev:$serial mbochs=mdev:$display \
		mttygroup="mdev:$serial?via=group"
}

edu_checks $edu
check edu-features features edu pci:$edu
mdevs

# SPDX-License-Identifier: MIT
# An arm64 machine with platform devices of its device tree: see arm64.dtsi. Those named there are
# behind an IOMMU; the firmware's device is not.
. /lib.sh
note sha256 "$(sha256sum /devfd/examples/edu | cut -d ' ' -f 1)"
platform=/sys/bus/platform
page=a000000.page
dual=a001000.dual
clock=9010000.clock
firmware=9020000.fw-cfg

driver_of() { # NAME
	[ -e $platform/devices/"$1"/driver ] && basename "$(readlink $platform/devices/"$1"/driver)"
}

# As for PCI: probing succeeds whatever comes of it.
give() { # NAME
	[ ! -e $platform/devices/"$1"/driver ] || echo "$1" >$platform/devices/"$1"/driver/unbind
	echo vfio-platform >$platform/devices/"$1"/driver_override
	echo "$1" >$platform/drivers_probe
	same vfio-platform "$(driver_of "$1")"
}

says() { # TEXT ADDRESS
	lsvfio -v "$2" >/tmp/says || return 1
	cat /tmp/says
	grep -qF -e "$1" /tmp/says
}

views_agree() { # ADDRESS
	lsvfio --via=both "$1" >/tmp/views || { cat /tmp/views; return 1; }
	cat /tmp/views
	grep -q ' 0 differences$' /tmp/views
}

# The identification of the clock, which is at the end of its page.
clock_id() { # ADDRESS
	devfd run --at /dev/it="$1" -- dd if=/dev/it bs=4 skip=$(((((1 << 40)) + 0xfe0) / 4)) count=1 \
		status=none | hexdump -e '4/1 "%02x"'
}

ls $platform/devices
for name in $page $dual $clock; do
	check bind-${name#*.} give $name
	check path-${name#*.} says "${name#*.}@" platform:$name
	check views-${name#*.} views_agree platform:$name
done
check nested says "/devfd-bus@a000000/page@0" platform:$page
check clock-id same 31000000 "$(clock_id platform:$clock)"
check firmware give $firmware
check firmware-path says "/fw-cfg@9020000" "platform:$firmware?via=noiommu"
check clock-2011 vm-clock platform:$clock /clock@9010000
# A program that knows the calls of 2011 and nothing of the library, by the path of a device.
check clock-path same "$(cat <<END
"dt", version 1, flags 2
region 0: /clock@9010000, entry 0 of property 1, 0x1000 bytes at 0x9010000
  identification 0x31
irq 0: /clock@9010000, entry 0 of property 3
irq 0 on an eventfd: yes
and off: yes
END
)" "$(devfd run --at /dev/clock=platform:$clock -- shim-tree /dev/clock)"
check matrix matrix platform=platform:$clock platformdual=platform:$dual \
	platformcdev="platform:$page?via=cdev"

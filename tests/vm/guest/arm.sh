# SPDX-License-Identifier: MIT
# An arm64 machine with platform devices of its device tree: see arm64.dtsi. Those named there are
# behind an IOMMU; the firmware's device is not.
. /lib.sh
note sha256 "$(sha256sum /devfd/examples/edu | cut -d ' ' -f 1)"
page=a000000.page
dual=a001000.dual
clock=9010000.clock
firmware=9020000.fw-cfg
pins=9030000.pl061

driver_of() { # BUS NAME
	[ -e /sys/bus/$1/devices/"$2"/driver ] && basename "$(readlink /sys/bus/$1/devices/"$2"/driver)"
}

# As for PCI: probing succeeds whatever comes of it.
give() { # NAME [BUS]
	local bus=${2:-platform}
	local device=/sys/bus/$bus/devices/$1
	[ ! -e $device/driver ] || echo "$1" >$device/driver/unbind
	echo vfio-$bus >$device/driver_override
	echo "$1" >/sys/bus/$bus/drivers_probe
	same vfio-$bus "$(driver_of $bus "$1")"
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

# The identification of a device of AMBA, which is at the end of its page.
amba_id() { # ADDRESS
	devfd run --at /dev/it="$1" -- dd if=/dev/it bs=4 skip=$(((((1 << 40)) + 0xfe0) / 4)) count=1 \
		status=none | hexdump -e '4/1 "%02x"'
}

ls /sys/bus/platform/devices
ls /sys/bus/amba/devices
for name in $page $dual $clock; do
	check bind-${name#*.} give $name
	check path-${name#*.} says "${name#*.}@" platform:$name
	check views-${name#*.} views_agree platform:$name
done
check nested says "/devfd-bus@a000000/page@0" platform:$page
check clock-id same 31000000 "$(amba_id platform:$clock)"
# AMBA: the same driver's code on another bus. Advice that opening gives leads there.
refused amba-unbound "vfio-amba; as root:" lsvfio platform:$pins
check amba-unbound-remedy follow_advice
check amba-bound same vfio-amba "$(driver_of amba $pins)"
check amba-path says "/pl061@9030000" platform:$pins
check amba-phys says "phys 0x9030000" platform:$pins
check amba-views views_agree platform:$pins
check amba-id same 61000000 "$(amba_id platform:$pins)"
check amba-check lsvfio --check --open platform:$pins
check amba-listed test -n "$(lsvfio | grep "^$pins .*vfio-amba")"
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
check matrix matrix amba=platform:$pins platform=platform:$clock platformdual=platform:$dual \
	platformcdev="platform:$page?via=cdev"

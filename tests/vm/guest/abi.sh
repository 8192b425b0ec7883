# SPDX-License-Identifier: MIT
# What a kernel answers to each call that the shim is held against.
. /lib.sh
. /edu.sh
a=0000:00:01.0 b=0000:01:00.0 c=0000:02:00.0 d=0000:02:00.1

answered() {
	shim-abi /abi.txt A=$a B=$b C=$c D=$d >/tmp/abi || return 1
	sed 's/^/abi|/' /tmp/abi # which the host makes a file of
	diff /abi.txt /tmp/abi
}

for function in $a $b $c $d; do
	check bind-$function bind $function vfio-pci
done
check abi answered
check sysfs shim-sysfs $a "$(group $a)"
check ioeventfd shim-ioeventfd $a "$(group $a)"

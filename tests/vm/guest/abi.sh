# SPDX-License-Identifier: MIT
# What a kernel answers to each call that the shim is held against.
. /lib.sh
. /edu.sh

answered() {
	shim-abi /abi.txt A=0000:00:01.0 >/tmp/abi || return 1
	sed 's/^/abi|/' /tmp/abi # which the host makes a file of
	diff /abi.txt /tmp/abi
}

check bind-a bind 0000:00:01.0 vfio-pci
check abi answered

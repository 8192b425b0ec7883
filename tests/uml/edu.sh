#!/bin/sh
# SPDX-License-Identifier: MIT
# In the guest: a function without a driver, as sysfs shows it, and writes to its configuration space.
# There is a resource0, but reading it is an error, and to map it a signal: what drivers of this kernel
# do to BARs are calls, behind which no memory is. vfio.sh has a program drive the card.
set -eu
cd /sys/bus/pci/devices/0000:00:00.0

word() { # OFFSET: 2 bytes of configuration space
	od -A n -t x2 -j "$1" -N 2 config | tr -d ' '
}

set_word() { # OFFSET OCTAL...
	at=$1
	shift
	printf "$@" | dd of=config bs=2 seek=$((at / 2)) conv=notrunc 2>/dev/null
}

echo "$(cat vendor device class)" | tr '\n' ' '
read -r start end _ <resource
echo "BAR0 $((end - start + 1)) bytes"
cat resource0 >/tmp/registers 2>/tmp/why || sed 's/.*: //' /tmp/why

byte() { # OFFSET
	od -A n -t u1 -j "$1" -N 1 config | tr -d ' '
}

at=$(byte 0x34)
until [ "$(byte $at)" = 17 ]; do at=$(byte $((at + 1))); done # 11h: MSI-X
echo "MSI-X control $(word $((at + 2)))"

echo 1 >enable
set_word 4 '\006\004'
echo "enabled $(cat enable), command $(word 4)"
set_word 0 '\377\377' # read-only, and no error
set_word 0x3c '\052\000'
echo "vendor $(word 0), line $(byte 0x3c)"

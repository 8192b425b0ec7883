# SPDX-License-Identifier: MIT
# Sourced: what every boot asks of an edu behind the kernel.
n=$(sed -n 's/.*devfd.n=\([0-9]*\).*/\1/p' /proc/cmdline)
seed=$(sed -n 's/.*devfd.seed=\([0-9]*\).*/\1/p' /proc/cmdline)
note sha256 "$(sha256sum /devfd/examples/edu | cut -d ' ' -f 1)"

drive() { # ADDRESS: as on the model, to the byte
	edu "$1" "$n" "$seed" >/tmp/drive || return 1
	diff /expect/edu /tmp/drive
}

# The first line tells flags and regions, which are the device's own: QEMU's edu cannot be reset.
drive_raw() { # ADDRESS
	devfd run --at /dev/edu="$1" -- raw-edu /dev/edu "$n" >/tmp/drive || return 1
	head -n 1 /tmp/drive
	tail -n +2 /expect/raw-edu >/tmp/wanted
	tail -n +2 /tmp/drive | diff /tmp/wanted -
}

views_agree() { # ADDRESS
	lsvfio --via=both "$1" >/tmp/views || { cat /tmp/views; return 1; }
	cat /tmp/views
	grep -q ' 0 differences$' /tmp/views
}

# A plain hexdump of the fd shows the bytes of the table that lsvfio annotates.
hexdump_shows_table() { # ADDRESS
	devfd run --at /dev/it="$1" -- hexdump -C -v /dev/it >/tmp/dump || return 1
	head -n 3 /tmp/dump
	lsvfio --table "$1" | cut -c 8-55 | tr -d ' \n' >/tmp/wanted
	cut -c 11-59 /tmp/dump | tr -d ' \n' >/tmp/got
	only_mappable /tmp/wanted /tmp/got && head -n 1 /tmp/dump | grep -q '|pci\.'
}

# Two tables in hexadecimal are the same, but that under devfd run more may be mapped: bit 0 of flags.
only_mappable() { # WANTED GOT
	same "$(stat -c %s "$1")" "$(stat -c %s "$2")" || return
	cmp -l "$1" "$2" | awk '{ print } $2 % 2 || $3 != $2 + 1 { bad = 1 } END { exit bad }'
}

# Every form of interrupts and DMA maps, answered as the model answers.
answers() { # ADDRESS
	vm-ask "$1" >/tmp/answers || return 1
	diff /expect/ask /tmp/answers
}

edu_checks() { # BDF
	note driver "$1 is bound to $(driver "$1")"
	check bound same vfio-pci "$(driver "$1")"
	check edu drive "pci:$1"
	check raw-edu drive_raw "pci:$1"
	check edu-answers answers "pci:$1"
	check edu-views views_agree "pci:$1"
	check edu-hexdump hexdump_shows_table "pci:$1"
}

# Keeps a device, in the background.
hold() { # ADDRESS REGISTER [OPTION]
	: >/tmp/hold # here: what an earlier one has said must not be there to be read
	vm-hold "$@" >>/tmp/hold 2>&1 &
	holder=$!
	wait_for held_or_ended
	cat /tmp/hold
	grep -q held /tmp/hold
}

held_or_ended() {
	grep -q held /tmp/hold || holder_ended
}

# What the holder said last, when it has ended with that status.
held_until() { # STATUS TEXT
	wait_for holder_ended || return 1
	wait $holder
	same "$1" $? && tail -n 1 /tmp/hold && tail -n 1 /tmp/hold | grep -qF -e "$2"
}

holder_ended() {
	! kill -0 $holder 2>/dev/null
}

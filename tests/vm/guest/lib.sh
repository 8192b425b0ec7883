# SPDX-License-Identifier: MIT
# Sourced by the scripts of the guest.
report=/dev/ttyS1
[ "$(uname -m)" = x86_64 ] || report=/dev/ttyAMA0 # the console
sysfs=/sys/bus/pci/devices
transparent=/sys/kernel/mm/transparent_hugepage/enabled
huge_pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

# check NAME COMMAND...: one result. What the command prints goes to the console, the end of it into
# the report if it fails.
check() {
	local name=$1 result=ok
	shift
	echo "== $name: $*"
	"$@" >/tmp/check 2>&1 || result="FAIL: exit $?: $(tail -n 4 /tmp/check | tr '\n' '|')"
	sed 's/^/   /' /tmp/check
	echo "   ${result%%: *}"
	echo "check $name: $result" >$report
}

note() { # NAME TEXT...
	local name=$1
	shift
	echo "note $name: $*" >$report
}

same() { # WANTED GOT
	[ "$1" = "$2" ] && return
	echo "wanted: $1"
	echo "got:    $2"
	return 1
}

# fails TEXT COMMAND...: the command must fail, with TEXT on its standard error
fails() {
	local text=$1 rc
	shift
	"$@" >/tmp/fails.out 2>/tmp/fails.err
	rc=$?
	cat /tmp/fails.out /tmp/fails.err
	[ $rc != 0 ] || { echo "succeeded, but should say: $text"; return 1; }
	grep -qF -e "$text" /tmp/fails.err || { echo "does not say: $text"; return 1; }
}

exits() { # STATUS COMMAND...
	local wanted=$1
	shift
	"$@"
	same "$wanted" $?
}

# ends_at STATUS ADDRESS: which step of lsvfio --check it is that fails; 0: none
ends_at() {
	exits "$1" lsvfio --check --open "$2"
}

as_user() { # COMMAND...: without root's privileges
	su user -c "$*"
}

# ---- devices ----

driver() { # BDF
	[ -e $sysfs/"$1"/driver ] && basename "$(readlink $sysfs/"$1"/driver)"
}

group() { # BDF
	basename "$(readlink $sysfs/"$1"/iommu_group)"
}

unbind() { # BDF
	[ ! -e $sysfs/"$1"/driver ] || echo "$1" >$sysfs/"$1"/driver/unbind
}

# The probing succeeds even where no driver takes the device: look at what came of it.
bind() { # BDF DRIVER
	[ "$(driver "$1")" != "$2" ] || return 0
	unbind "$1"
	echo "$2" >$sysfs/"$1"/driver_override
	echo "$1" >/sys/bus/pci/drivers_probe
	same "$2" "$(driver "$1")"
}

absent() { # BDF
	[ ! -e $sysfs/"$1" ]
}

wait_for() { # COMMAND...: until it succeeds, at most 60 s
	local n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 300 ] || { echo "never: $*"; return 1; }
		sleep 0.2
	done
}

host_line_has() { # WORDS
	lsvfio | head -n 1 | grep -F -e "$1"
}

# ---- refusals ----

# refused NAME TEXT COMMAND...: the command fails and says why
refused() {
	local name=$1 text=$2
	shift 2
	check "$name" fails "$text" "$@"
	cp /tmp/fails.err /tmp/advice
}

# What the message says to do: the commands at its end.
advice() {
	awk 'match($0, /(modprobe|echo|chown|devfd bind) /) { print substr($0, RSTART) }' /tmp/advice
}

follow_advice() {
	advice
	[ -n "$(advice)" ] && eval "$(advice)"
}

# ---- the matrix ----

# matrix SOURCE=ADDRESS...: what it finds goes into the report, for the matrix of all boots
matrix() {
	local rc
	echo 8 >$huge_pages
	same 8 "$(cat $huge_pages)" || return
	# Off where there are less than 512 MiB.
	[ ! -e $transparent ] || echo madvise >$transparent
	vm-matrix /matrix.txt "$@" >/tmp/matrix
	rc=$?
	grep '^matrix ' /tmp/matrix >$report
	cat /tmp/matrix
	return $rc
}

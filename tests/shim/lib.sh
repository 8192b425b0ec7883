# SPDX-License-Identifier: MIT
# Sourced by the tests here: $status, and a directory of their own.
set -u
edu=/dev/devfd/edu
shapes=/dev/devfd/shapes
dir=$(mktemp -d)
status=0

# What sanitizers find in the process with the devices, which has no standard error any more.
export ASAN_OPTIONS=${ASAN_OPTIONS-}:log_path=$dir/sanitizer
ended() {
	local code=$?
	cat "$dir"/sanitizer.* 2>/dev/null && code=1
	rm -rf "$dir"
	exit $code
}
trap ended EXIT

fail() { # TEXT...
	echo "FAIL: $*"
	status=1
}

same() { # WHAT WANTED GOT
	[[ $2 == "$3" ]] || fail "$1: wanted \"$2\", got \"$3\""
}

until_true() { # COMMAND...: wait for it, for as long as it takes on a busy machine
	for _ in {1..1200}; do
		"$@" && return
		sleep 0.05
	done
	fail "it does not happen: $*"
}

run() { # PROGRAM...: with two devices at their paths
	"$DEVFD" run --at $edu=model:edu --at $shapes=model:shapes -- "$@"
}

# x86-64 and arm64 have numbers of their own.
wipe_on_fork=28:2=18 futex_wake=202:1=1
[[ $(uname -m) = x86_64 ]] || wipe_on_fork=233:2=18 futex_wake=98:1=1

without() { # CALL PROGRAM...: where that system call is forbidden, see forbid.py
	"$PYTHON" "$(dirname "$0")/forbid.py" "$1" "$DEVFD" run --at $edu=model:edu --at $shapes=model:shapes -- "${@:2}"
}

alone() { # PROGRAM...: the same, with the devices in its process
	"$DEVFD" run --in-process --at $edu=model:edu --at $shapes=model:shapes -- "$@"
}

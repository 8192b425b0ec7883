#!/bin/sh
# SPDX-License-Identifier: MIT
# The addresses of a golden file (its lines "== ADDRESS") are described as it says.
# usage: golden.sh DESCRIBE GOLDEN DIR    DIR: where the files are that the addresses name
#        golden.sh --write DESCRIBE GOLDEN DIR
set -eu
write=
if [ "$1" = --write ]; then
	write=1
	shift
fi
describe=$(realpath "$1")
cd "$3"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
sed -n 's/^== //p' "$2" | tr '\n' '\0' | xargs -0 "$describe" >"$out"
if [ "$write" ]; then
	cp "$out" "$2"
else
	diff -u "$2" "$out"
fi

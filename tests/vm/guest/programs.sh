# SPDX-License-Identifier: MIT
# Programs under `devfd run` with a kernel that has all it asks for, on another architecture than the
# tests in tests/shim see otherwise.
. /lib.sh
note sha256 "$(sha256sum /devfd/examples/edu | cut -d ' ' -f 1)"
export DEVFD=/devfd/tools/devfd PYTHON=/none LC_ALL=C
ln -s /proc/self/fd /dev/fd
. /suites # a check for each test

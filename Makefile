# SPDX-License-Identifier: MIT
# A thin front for meson. On Debian every target first installs what is missing (scripts/deps).
BUILD ?= build
SAN ?= build-san
TSAN ?= build-tsan
FUZZ ?= build-fuzz
MESON_ARGS ?=

# Leaks are errors and undefined behaviour ends the program. The order of libraries is not checked: under
# `devfd run` another one comes before that of the sanitizer.
SAN_ENV = ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:verify_asan_link_order=0 UBSAN_OPTIONS=print_stacktrace=1

# Tests in which threads meet. A child of fork() has threads of its own.
TSAN_TESTS = device_test moments_test full_test link_test server_test user_test util_test mmio_test
# The library of `devfd run`, where registers are trapped.
TSAN_SHIM = $(if $(filter x86_64,$(shell uname -m)),tests/shim/libdevfd-shim-san.so tests/shim/shim-hammer-tsan)
TSAN_ENV = TSAN_OPTIONS=halt_on_error=1:die_after_fork=0

.PHONY: all built deps demo check check-vm check-uml check-selftests check-san check-tsan compare bench fuzz install format clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

# As all, but silent unless it fails.
built: $(BUILD)/build.ninja
	@ninja -C $(BUILD) >$(BUILD)/ninja.log || { cat $(BUILD)/ninja.log; exit 1; }

deps:
	@scripts/deps

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) $(MESON_ARGS) >$(BUILD).log || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

$(SAN)/build.ninja: | deps
	@meson setup $(SAN) -Dwerror=true -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fno-sanitize-recover=all >$(SAN).log || { cat $(SAN).log; exit 1; }
	@rm -f $(SAN).log

demo: built
	@scripts/demo $(BUILD)

check: built
	@meson test -C $(BUILD) --no-rebuild --print-errorlogs --quiet

# Real kernels in QEMU; see tests/vm/run.
check-vm: built
	@scripts/deps vm
	@tests/vm/run $(BUILD)

# Stock kernels as processes; see tests/uml/run.
check-uml: built
	@scripts/deps uml
	@tests/uml/run $(BUILD)

# The kernel's own tests of VFIO under `devfd run`; see tests/selftests/run.
check-selftests: built
	@scripts/deps vm
	@tests/selftests/run $(BUILD)

check-san: $(SAN)/build.ninja
	@ninja -C $(SAN) >$(SAN)/ninja.log || { cat $(SAN)/ninja.log; exit 1; }
	@$(SAN_ENV) meson test -C $(SAN) --no-rebuild --print-errorlogs --quiet

# It does not follow the fence of ring.c, and gcc says so; the ring is none of TSAN_TESTS' own.
$(TSAN)/build.ninja: | deps
	@meson setup $(TSAN) -Dwerror=true -Db_sanitize=thread -Db_lundef=false -Dc_args=-Wno-tsan >$(TSAN).log || { cat $(TSAN).log; exit 1; }
	@rm -f $(TSAN).log

check-tsan: $(TSAN)/build.ninja
	@ninja -C $(TSAN) $(TSAN_TESTS) tests/stress/edu_threads $(TSAN_SHIM) >$(TSAN)/ninja.log || { cat $(TSAN)/ninja.log; exit 1; }
	@$(TSAN_ENV) meson test -C $(TSAN) --no-rebuild --print-errorlogs --quiet $(TSAN_TESTS) stress-edu $(if $(TSAN_SHIM),shim-hammer-tsan)

compare: built
	@scripts/compare $(BUILD)

bench: built
	@scripts/bench $(BUILD)

$(FUZZ)/build.ninja: | deps
	@scripts/deps fuzz
	@CC=clang meson setup $(FUZZ) -Dlibfuzzer=true -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fno-sanitize-recover=all >$(FUZZ).log || { cat $(FUZZ).log; exit 1; }
	@rm -f $(FUZZ).log

# COUNT inputs of the mutators, FOR seconds of libFuzzer.
fuzz: COUNT ?= 1000000
fuzz: FOR ?= 600
fuzz: $(SAN)/build.ninja $(FUZZ)/build.ninja
	@ninja -C $(SAN) >$(SAN)/ninja.log || { cat $(SAN)/ninja.log; exit 1; }
	@ninja -C $(FUZZ) fuzz/serve-fuzz fuzz/user-fuzz >$(FUZZ)/ninja.log || { cat $(FUZZ)/ninja.log; exit 1; }
	@$(SAN_ENV) scripts/fuzz $(SAN) $(COUNT) $(FUZZ) $(FOR)

install: all
	@meson install -C $(BUILD) --no-rebuild

format:
	@scripts/deps ci
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf $(BUILD) $(SAN) $(TSAN) $(FUZZ) build-clang

# Short names for what the presets do; `make help` lists them. Missing Debian packages are installed
# first (tools/install-deps.sh), which costs nothing when all are there.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
BENCH ?=
PEERS ?= step
BUILD := build/release
JOBS ?= $(shell nproc)

.DEFAULT_GOAL := all
.PHONY: all test demo firmware bench peers check fuzz format install clean help deps

all: deps               ## build libraries, command and tests into build/release
	@test -f $(BUILD)/build.ninja || cmake --preset release
	@cmake --build $(BUILD) -j $(JOBS)

test: deps              ## build with warnings as errors and run every test
	@cmake --preset release -DHK_WERROR=ON
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/run-tests.py $(BUILD)

demo: all               ## train recipes/digits-stop.yaml for about a minute, write a report
	@tools/demo.sh $(BUILD)/hillock

firmware: all           ## build the microcontroller demo for every board and run it under QEMU
	@tools/firmware.sh $(BUILD)/hillock

bench: all              ## measure the kernels on this machine (BENCH="arguments")
	@$(BUILD)/hillock bench $(BENCH)

peers: all              ## compare with PyTorch, SpikingJelly and snnTorch (PEERS="arguments"; installs a few GB)
	@HILLOCK=$(abspath $(BUILD)/hillock) bench/peers/run.sh $(PEERS)

check: deps             ## unit tests under the address, undefined and thread sanitizers
	@tools/sanitize.sh asan tsan

fuzz: deps              ## feed the readers random files, FUZZ_SECONDS each (default 60)
	@tools/fuzz.sh $(FUZZ_SECONDS)

format:                 ## lay out the changed lines with clang-format; tables keep their columns
	@git clang-format --extensions c,h

install: all            ## install below PREFIX (default /usr/local)
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:                  ## remove everything that was built
	rm -rf build

help:                   ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## */\1	/p' $(MAKEFILE_LIST) | expand -t 12

deps:
	@tools/install-deps.sh

# The only task runner; continuous integration calls the same targets. `make help` lists them.
VENV   := .venv
PY     := $(VENV)/bin/python
PYTHON ?= python3
BUILD  := build

SOURCES := pyproject.toml CMakeLists.txt tools/make_specifications.py \
           $(shell find host/spikedaq firmware/lib firmware/boards firmware/src -type f \
                   \( -name '*.py' -o -name '*.h' -o -name '*.cpp' -o -name '*.txt' -o -name '*.typed' \) 2>/dev/null)

WEB      := host/spikedaq/scope/web
WEB_PAGE := $(shell find $(WEB) -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: page soak help demo test test-cpp test-page test-python screenshots check bench fault fuzz-cpp fuzz-python firmware \
        firmware-v1 firmware-cm4 firmware-xtensa simulator sizes contract format docs configuration-docs clean
help:
	@echo "make demo      a virtual bench of two Spikelings, the daemon and a recording; Ctrl-C ends it"
	@echo "make test      every test: C++, Python, and the page in a browser"
	@echo "make check     linters, types, import contracts, formatting"
	@echo "make contract  what every board must do, on each that is simulated here"
	@echo "make fault     the fault campaign: bad cables, unplugging, kills, full disks, fuzzing; at most half an hour"
	@echo "make fuzz-python FUZZ_BYTES=100000000   random and mutated bytes into the decoders of the host"
	@echo "make fuzz-cpp  the firmware's fuzzers, FUZZ_SECONDS=60 each"
	@echo "make soak      stream faster than any board, and watch memory, descriptors, threads; SOAK=\"--minutes 60\""
	@echo "make bench     CPU per device, latency, the closed loop, and the naive script for comparison"
	@echo "make firmware  the virtual device, in $(BUILD)/firmware"
	@echo "make firmware-v1, firmware-cm4   the images of v1 and of the stand-in for QEMU, in $(BUILD)/firmware-*"
	@echo "make sizes     the size of each image, and whether it fits"
	@echo "make screenshots   the pictures of the page in docs/images, by the tests that walk through it"
	@echo "make page      the web page of \`spikedaq scope\`, with Node.js 20 or newer"
	@echo "make simulator the program that runs an AVR image, in $(BUILD)/simulator"

demo: $(VENV)/.installed
	$(VENV)/bin/spikedaq demo --data demo-data $(DEMO)

page:
	@mkdir -p $(BUILD)
	@sh tools/build_page.sh
	@touch $(BUILD)/.page

$(BUILD)/.page: $(WEB_PAGE) tools/build_page.sh
	@mkdir -p $(BUILD)
	@sh tools/build_page.sh --if-possible
	@touch $@

test: test-cpp test-page test-python

test-cpp: $(VENV)/.dev
	@sh tools/need.sh apt doctest/doctest.h doctest-dev
	$(VENV)/bin/cmake -S . -B $(BUILD)/test -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja \
	  -DSPIKEDAQ_TESTS=ON -DSPIKEDAQ_GOLDEN=ON -DSPIKEDAQ_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo > $(BUILD)-cmake.log || { cat $(BUILD)-cmake.log; exit 1; }
	@rm -f $(BUILD)-cmake.log
	$(VENV)/bin/cmake --build $(BUILD)/test
	cd $(BUILD)/test && $(abspath $(VENV))/bin/ctest --output-on-failure --verbose

# Each of the firmware's fuzzers for FUZZ_SECONDS, from the golden vectors on; what it finds goes to $(BUILD)/fuzz.
# FUZZ_SEED says which way; without it each run goes another, and says which.
FUZZ_SECONDS ?= 60
fuzz-cpp: $(VENV)/.dev
	@sh tools/need.sh apt-command clang++ clang libclang-rt-14-dev
	$(VENV)/bin/cmake -S . -B $(BUILD)/fuzz -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja -DCMAKE_CXX_COMPILER=clang++ \
	  -DSPIKEDAQ_FUZZ=ON -DSPIKEDAQ_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo > $(BUILD)-fuzz.log || { cat $(BUILD)-fuzz.log; exit 1; }
	@rm -f $(BUILD)-fuzz.log
	$(VENV)/bin/cmake --build $(BUILD)/fuzz --target fuzz-frames fuzz-device fuzz-packed
	$(PY) tools/fuzz_corpus.py protocol/vectors $(BUILD)/fuzz/seeds
	@seed=$(or $(FUZZ_SEED),$$(date +%s)); for fuzzer in frames device packed; do \
	  mkdir -p $(BUILD)/fuzz/corpus/$$fuzzer; \
	  $(BUILD)/fuzz/firmware/fuzz/fuzz-$$fuzzer $(BUILD)/fuzz/corpus/$$fuzzer $(BUILD)/fuzz/seeds/$$fuzzer -max_len=4096 \
	    -rss_limit_mb=512 -timeout=10 -max_total_time=$(FUZZ_SECONDS) -seed=$$seed -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=$(BUILD)/fuzz/$$fuzzer- > $(BUILD)/fuzz/$$fuzzer.log 2>&1 || { cat $(BUILD)/fuzz/$$fuzzer.log; exit 1; }; \
	  echo "fuzz-$$fuzzer: seed $$seed," $$(grep -E "^bytes|executed_units|peak_rss" $(BUILD)/fuzz/$$fuzzer.log); \
	done

# What the page computes, without a browser.
test-page:
	@sh tools/build_page.sh --test

# docs/images, by the tests that walk through the page.
screenshots: $(VENV)/.dev $(VENV)/.installed
	@sh tools/need.sh apt-command chromium chromium
	SPIKEDAQ_SCREENSHOTS=1 $(PY) -m pytest tests/browser $(PYTEST)

test-python: $(VENV)/.dev $(VENV)/.installed $(VENV)/hdf5-1.14 firmware simulator firmware-v1 firmware-cm4
	@sh tools/need.sh apt-command qemu-system-arm qemu-system-arm
	@sh tools/need.sh apt-command avr-gcc gcc-avr avr-libc
	@sh tools/need.sh apt-command h5dump hdf5-tools
	@sh tools/need.sh apt-command $(or $(SPIKEDAQ_CHROMIUM),chromium) chromium
	$(PY) tools/run_tests.py $(PYTEST)

contract: $(VENV)/.dev $(VENV)/.installed simulator firmware-v1 firmware-cm4
	@sh tools/need.sh apt-command qemu-system-arm qemu-system-arm
	$(PY) -m pytest tests/contract $(PYTEST)

fault: $(VENV)/.dev $(VENV)/.installed simulator firmware-v1
	@sh tools/need.sh apt-command h5dump hdf5-tools
	$(PY) tools/fault_campaign.py $(FAULT)

# Random and mutated bytes into the decoders of the host: FUZZ_BYTES of them per decoder, FUZZ_SEED which.
fuzz-python: $(VENV)/.dev $(VENV)/.installed
	FUZZ_BYTES=$(or $(FUZZ_BYTES),10000000) FUZZ_SEED=$(or $(FUZZ_SEED),1) \
	  $(PY) -m pytest -s -o timeout=0 tests/fuzz $(PYTEST)

bench: $(VENV)/.dev $(VENV)/.installed
	$(PY) tests/perf/bench.py $(BENCH)
	$(PY) tests/perf/bench.py $(or $(CROWD),--devices 16 --clients 20 --stalled 5)
	$(PY) tests/perf/closed_loop.py $(CLOSED_LOOP)
	$(PY) tests/perf/scope.py $(SCOPE)
	$(PY) tests/perf/page.py $(PAGE)
	$(PY) tests/perf/reading.py $(READING)
	$(PY) tests/perf/detect.py $(DETECT)
	$(PY) tests/perf/export.py $(EXPORT)

# Faster than any board, for as long as wished: SOAK="--minutes 60".
soak: $(VENV)/.dev $(VENV)/.installed
	$(PY) tests/perf/soak.py $(SOAK)

check: $(VENV)/.dev
	$(VENV)/bin/ruff check host tests tools
	$(VENV)/bin/ruff format --check host tests tools
	MYPYPATH=host $(VENV)/bin/mypy -p spikedaq
	PYTHONPATH=host $(VENV)/bin/lint-imports
	$(VENV)/bin/clang-format --dry-run --Werror $$(find firmware \( -name '*.h' -o -name '*.cpp' \))
	PLATFORMIO_SETTING_ENABLE_TELEMETRY=no timeout 60 $(VENV)/bin/pio project config --lint
	sh tools/build_page.sh --check
	sh tools/check_text.sh
	PYTHONPATH=host $(PY) tools/configuration_docs.py --check

# docs/reference/configuration.md, from the descriptions in host/spikedaq/daemon/config.py
configuration-docs: $(VENV)/.dev
	PYTHONPATH=host $(PY) tools/configuration_docs.py

format:
	$(VENV)/bin/ruff check --fix host tests tools
	$(VENV)/bin/ruff format host tests tools
	$(VENV)/bin/clang-format -i $$(find firmware \( -name '*.h' -o -name '*.cpp' \))

firmware: $(VENV)/.dev
	$(VENV)/bin/cmake -S . -B $(BUILD)/firmware -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja -DCMAKE_BUILD_TYPE=Release \
	  -DSPIKEDAQ_GOLDEN=ON
	$(VENV)/bin/cmake --build $(BUILD)/firmware

# One board by its toolchain file: $(call cross,folder,board,toolchain)
define cross
	@$(VENV)/bin/cmake -S . -B $(BUILD)/$(1) -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja \
	  -DCMAKE_TOOLCHAIN_FILE=cmake/$(3).cmake -DSPIKEDAQ_BOARD=$(2) -DSPIKEDAQ_GOLDEN=ON > $(BUILD)-$(1).log 2>&1 || { cat $(BUILD)-$(1).log; exit 1; }
	@rm -f $(BUILD)-$(1).log
	$(VENV)/bin/cmake --build $(BUILD)/$(1)
endef

firmware-v1: $(VENV)/.dev
	@sh tools/need.sh apt-command avr-g++ gcc-avr avr-libc
	$(call cross,firmware-v1,v1_nano,avr)

firmware-cm4: $(VENV)/.dev
	@sh tools/need.sh apt-command arm-none-eabi-g++ gcc-arm-none-eabi libnewlib-dev
	$(call cross,firmware-cm4,qemu_cm4,cortex-m4)

# Compiled only: no linker or simulator for an ESP32 is to be had from Debian.
firmware-xtensa: $(VENV)/.dev
	@sh tools/need.sh apt-command xtensa-lx106-elf-g++ gcc-xtensa-lx106 picolibc-xtensa-lx106-elf
	$(call cross,firmware-xtensa,xtensa_check,xtensa-lx106)

sizes: firmware-v1 firmware-cm4 firmware-xtensa
	@$(PY) tools/sizes.py $(BUILD)

# A program of its own (libsimavr is GPL); see firmware/simulator/README.md.
simulator: $(VENV)/.dev
	@sh tools/need.sh apt simavr/sim_avr.h libsimavr-dev
	@sh tools/need.sh apt gelf.h libelf-dev
	@$(VENV)/bin/cmake -S firmware/simulator -B $(BUILD)/simulator -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV))/bin/ninja > /dev/null
	$(VENV)/bin/cmake --build $(BUILD)/simulator

docs: $(VENV)/.dev $(VENV)/.installed
	$(PY) -m pytest tests/system/test_docs_examples.py

$(VENV)/.venv:
	@sh tools/need.sh python $(PYTHON)
	@sh tools/need.sh compiler
	@echo "setting up $(VENV) (once)"
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What tests and checks need; the build's own requirements too, so that later installs need no isolated environment.
$(VENV)/.dev: pyproject.toml | $(VENV)/.venv
	$(PY) tools/requirements.py build-system dev test dependencies > $(VENV)/requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile -r $(VENV)/requirements.txt
	@touch $@

# The last h5py built on HDF5 1.14, apart from the one in use: closed files must open in it.
$(VENV)/hdf5-1.14: | $(VENV)/.dev
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --target $@ 'h5py==3.14.0'

# Installed as a wheel, so that what is tried and tested is what users get.
$(VENV)/.installed: $(SOURCES) $(BUILD)/.page | $(VENV)/.venv
	@if [ -e $(VENV)/.dev ]; then flags="--no-build-isolation --no-deps"; fi; \
	 echo "installing spikedaq into $(VENV)"; \
	 $(VENV)/bin/pip install --quiet --disable-pip-version-check --force-reinstall $$flags '.[scope]'
	@touch $@

clean:
	rm -rf $(BUILD) $(VENV) demo-data

# The everyday commands. `make help` lists them; each one installs into .venv what it needs.
#
#   PYTHON=python3.12        another interpreter, for a new .venv
#   TINYGRAD_LITE_NO_C=1     without the C kernels, and so without a compiler

PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
MODE := $(if $(filter-out 0,$(TINYGRAD_LITE_NO_C)),no-c,c)
SOURCES := pyproject.toml setup.py $(wildcard csrc/*)

.PHONY: help demo test bench lint docs build sanitize cross clean
.PHONY: check-python check-c check-no-c
.DELETE_ON_ERROR:

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

demo: $(VENV)/installed-plot,progress  ## train a small net on handwritten digits
	$(BIN)/python examples/train_digits.py

test: $(VENV)/installed-test  ## run all tests
	$(BIN)/python -m pytest

bench: $(VENV)/installed-progress  ## time the kernels and training steps
	$(BIN)/python benchmarks/run.py

lint: $(VENV)/installed-dev  ## check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

# Not --quiet, which would let warnings pass too. The variable silences advertisement only.
docs: $(VENV)/installed-docs  ## build the site of the documents, and check every link in it
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo 'build/site/index.html; to search in it: $(BIN)/python -m http.server -d build/site'

build:  ## compile the C kernels again, changed or not
	rm -f $(VENV)/installed-*
	$(MAKE) $(VENV)/installed-test

# The module is built once more, watched at every access, and the kernels' tests run on it; not
# those with PyTorch, which throws C++ exceptions that the watcher does not know.
sanitize: $(VENV)/installed-test  ## test the C kernels under address and undefined-behaviour checks
	rm -rf build/sanitize
	CFLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
	LDFLAGS="-fsanitize=address,undefined" $(BIN)/python setup.py --quiet build \
	--build-base build/sanitize --build-lib build/sanitize/lib
	LD_PRELOAD="$$($${CC:-cc} -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
	PYTHONPATH=build/sanitize/lib $(BIN)/pytest -q -p no:cacheprovider -m "not parity" \
	tests/test_kernels.py tests/test_loss_kernels.py tests/test_passes.py tests/test_optim.py \
	tests/test_simd_of_layers.py tests/test_convolution.py tests/test_pooling.py \
	tests/test_batchnorm.py tests/test_embedding.py tests/test_threads.py tests/test_matmul.py \
	tests/test_products.py tests/test_losses.py tests/test_relu.py tests/test_tape.py tests/test_jit.py

cross: $(VENV)/installed-test  ## compile the C kernels with Clang, and for aarch64 under qemu, and compare their bits
	$(BIN)/python tests/cross/cross_check.py

clean:  ## remove all that was built, .venv too
	rm -rf $(VENV) build dist *.egg-info tinygrad_lite/kernels/_kernels.*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Empty files in .venv say what was done: the environment was made; C or no C was chosen; this
# checkout was installed, with an extra of pyproject.toml. A change of SOURCES outdates that.

$(VENV)/made:
	@$(MAKE) --no-print-directory check-python check-$(MODE)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/mode-$(MODE): $(VENV)/made
	@rm -f $(VENV)/mode-* $(VENV)/installed-* tinygrad_lite/kernels/_kernels.*
	@touch $@

$(VENV)/installed-%: $(VENV)/mode-$(MODE) $(SOURCES)
	@$(MAKE) --no-print-directory check-$(MODE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# What must be there before anything is made. $(call require,a Python expression,help)
require = @$(PYTHON) -c 'import os, shlex, shutil, sys, sysconfig; sys.exit(not ($(1)))' \
	|| { echo 'make: $(2)' >&2; exit 1; }

check-python:
	$(call require,sys.hexversion >= 0x030a0000,tinygrad_lite needs Python 3.10 or newer; \
	try make PYTHON=python3.12)
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo 'make: $(PYTHON) cannot make virtual environments; on Debian or Ubuntu:' \
	'apt install python3-venv' >&2; exit 1; }

check-c:
	$(call require,shutil.which(shlex.split(os.environ.get("CC") or "cc")[0]),no C compiler; \
	apt install gcc python3-dev (macOS: xcode-select --install) or TINYGRAD_LITE_NO_C=1 make)
	$(call require,os.path.exists(sysconfig.get_path("include") + "/Python.h"),no Python.h; \
	apt install python3-dev or TINYGRAD_LITE_NO_C=1 make)

check-no-c:
	@:

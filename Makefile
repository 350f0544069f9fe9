# Everything a newcomer types; `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
TARGET ?= $(if $(filter aarch64 arm64,$(shell uname -m)),rpi,x86)
PIP_FLAGS ?=
PYTEST_FLAGS ?=
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
EXPORT_FLAGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet $(PIP_FLAGS)
MIC_HINT := microphone support is not installed (PyAudio did not build): apt-get install portaudio19-dev gcc python3-dev, then make mic

.PHONY: help venv mic demo test test-arm64 firmware-proof check export locks bench soak clean

help: ## list the targets
	@echo "edgekws: hear a few spoken commands on a small device, and act on them"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "variables: PYTHON=python3.12  TARGET=rpi  PIP_FLAGS='...'  EXPORT_FLAGS=--wheelhouse  PYTEST_FLAGS='-k trigger'  WORKERS=1"

venv: $(VENV)/.venv-made ## make .venv with edgekws and ONNX Runtime in it

demo: $(VENV)/.cloud ## adapt the base to three new commands, export, listen, act (a few minutes)
	$(BIN)/edgekws demo

test: $(VENV)/.dev ## install what the tests need and run all of them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(PYTEST_FLAGS)

test-arm64: $(VENV)/.dev ## install the rpi archive on an emulated board and listen there (root, Debian)
	$(BIN)/python -m pytest -m arm64 tests/arm64 $(PYTEST_FLAGS)

firmware-proof: $(VENV)/.dev ## figures of the link to an emulated microcontroller: three thousand commands, two deadlines
	$(BIN)/python -m pytest -m 'proof or not proof' tests/firmware/test_emulated_board.py -s $(PYTEST_FLAGS)

check: $(VENV)/.dev ## format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

export: $(VENV)/$(if $(filter rpi% mcu,$(TARGET)),.formats,.cloud) ## bundle, installer and archive for TARGET (rpi, x86, ...) in dist/
	$(BIN)/edgekws export --target $(TARGET) --out dist $(EXPORT_FLAGS)

bench: $(VENV)/.venv-made ## cost of the newest bundle on this machine
	$(BIN)/edgekws bench

soak: $(VENV)/.cloud ## an hour of audio through the whole daemon, then ten minutes in real time
	$(BIN)/python benchmarks/soak.py

mic: $(VENV)/.venv-made ## build PyAudio (needs portaudio19-dev and a C compiler)
	$(PIP) -e '.[mic]'

locks: $(VENV)/.cloud ## look up the packages of every board again, with hashes
	$(BIN)/python .ci/locks.py

clean: ## remove the venv, caches, dist/ and demo-out/ (runs/ stays)
	rm -rf $(VENV) dist demo-out build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "edgekws needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null || { echo "cannot make a venv with $(PYTHON): apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.venv-made: $(VENV)/.python pyproject.toml
	@echo "installing edgekws with ONNX Runtime"
	$(PIP) -e '.[onnx,audio]'
	@$(PIP) -e '.[mic]' >$(VENV)/mic.log 2>&1 || echo "note: $(MIC_HINT)" >&2
	@touch $@

$(VENV)/.cloud: $(VENV)/.venv-made
	@echo "installing PyTorch and the exporters (this is the long one)"
	$(PIP) -e '.[train,export,synth]'
	@touch $@

$(VENV)/.formats: $(VENV)/.cloud
	@echo "installing the converters to TFLite and OpenVINO, and their runtimes"
	$(PIP) -e '.[export-tflite,export-openvino,export-mcu]'
	@touch $@

$(VENV)/.dev: $(VENV)/.formats
	@echo "installing the test and development tools"
	$(PIP) -e '.[test,dev]'
	@$(BIN)/edgekws fetch speech-embedding --out $(VENV) >/dev/null || echo "note: tests of the teacher will not run" >&2
	@touch $@

# make run    the whole job on the embedded synthetic hands, small, to the verdict for a Raspberry Pi
# make test   the fast tests; make nightly adds the slow ones
# make fuzz   changed inputs through the command line: make fuzz SEED=3 COUNT=20000
# make docs   the documentation as a site in site/; make coverage lists the lines that no test runs
# make test-all   the fast tests with every Python of PYTHONS that is here; make device-all installs what a device needs
#             with each of them and benches MODEL, which make run leaves
VENV ?= .venv
PYTHON ?= python3
WORKDIR ?= edgekit-work
SEED ?= 0
COUNT ?= 10000
# An index that holds PyTorch's CPU build, where pip's own choice would be the CUDA one; see the README.
TORCH_INDEX ?=
# Processes that run the tests; a file's tests stay in one of them.
WORKERS ?= logical
PYTHONS ?= 3.11 3.12 3.13
MODEL ?= $(WORKDIR)/model.int8.onnx
SHELL := bash
.SHELLFLAGS := -o pipefail -c
BIN := $(VENV)/bin

.PHONY: run test test-all device-all nightly fuzz coverage docs format hooks clean

run: $(VENV)/.installed
	$(BIN)/edgekit run --preset quick --workdir $(WORKDIR)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-all:
	@sh tools/pythons.sh $(PYTHONS) | while read -r version python; do \
	    if [ "$$python" = - ]; then \
	        echo "python$$version: SKIPPED, no such interpreter on the PATH or in pyenv"; \
	    else \
	        $(MAKE) test VENV=$(VENV)-$$version PYTHON=$$python </dev/null || exit 1; \
	    fi; \
	done

device-all:
	@sh tools/pythons.sh $(PYTHONS) | while read -r version python; do \
	    if [ "$$python" = - ]; then \
	        echo "python$$version: SKIPPED, no such interpreter on the PATH or in pyenv"; \
	    else \
	        set -e; \
	        $$python -m venv $(VENV)-device-$$version; \
	        $(VENV)-device-$$version/bin/python -m pip install --quiet .; \
	        $(VENV)-device-$$version/bin/edgekit bench $(MODEL) --processes 1 --repeats 200 | tail -n 1; \
	        echo "python$$version: installed without extras, bench ended with exit code 0"; \
	    fi; \
	done

nightly: $(VENV)/.installed
	$(BIN)/python -m pytest -m "slow or not slow"

fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz --full --kept --seed $(SEED) --count $(COUNT) --results fuzz-$(SEED).jsonl

coverage: $(VENV)/.installed
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder; tests=$$?; \
	$(BIN)/python -m coverage combine --quiet; \
	$(BIN)/python -m coverage report; \
	exit $$tests

docs: $(VENV)/.installed
	$(BIN)/python tools/generate_docs.py
	$(BIN)/python -m zensical build --strict --clean

hooks: $(VENV)/.installed
	$(BIN)/pre-commit install

format: $(VENV)/.installed
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch>=2.8,<2.14"
	$(BIN)/python -m pip install --quiet -e ".[train,tune,dev]"
	touch $@

clean:
	rm -rf $(VENV) $(addprefix $(VENV)-,$(PYTHONS)) $(addprefix $(VENV)-device-,$(PYTHONS)) $(WORKDIR) site .cache

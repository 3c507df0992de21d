# make run    the whole job on the embedded synthetic hands, small, to the verdict for a Raspberry Pi
# make test   the fast tests; make nightly adds the slow ones
# make fuzz   changed inputs through the command line: make fuzz SEED=3 COUNT=20000
VENV ?= .venv
PYTHON ?= python3
WORKDIR ?= edgekit-work
SEED ?= 0
COUNT ?= 10000
# An index that holds PyTorch's CPU build, where pip's own choice would be the CUDA one; see the README.
TORCH_INDEX ?=
BIN := $(VENV)/bin

.PHONY: run test nightly fuzz format clean

run: $(VENV)/.installed
	$(BIN)/edgekit run --preset quick --workdir $(WORKDIR)

test: $(VENV)/.installed
	$(BIN)/python -m pytest

nightly: $(VENV)/.installed
	$(BIN)/python -m pytest -m "slow or not slow"

fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz --full --kept --seed $(SEED) --count $(COUNT) --results fuzz-$(SEED).jsonl

format: $(VENV)/.installed
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "torch>=2.8,<2.14"
	$(BIN)/python -m pip install --quiet -e ".[train,tune,dev]"
	touch $@

clean:
	rm -rf $(VENV) $(WORKDIR)

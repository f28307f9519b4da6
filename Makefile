# make run: install into .venv and do the main job. make test: install what the tests need and run them all.
PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/first
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q

.PHONY: run test test-core lint bench bfcl schema page clean

run: $(VENV)/.installed
	$(BIN)/synthtools run --out $(OUT)

test: lint
	$(PYTEST)

test-core: lint
	$(PYTEST) -m "not slow"

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/mypy --strict synthtools envs agents

bench: $(VENV)/.tested
	@set -e; for name in step scale sandbox verifier; do echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done

bfcl:                        ## the peer that step.py measures beside ours, in an environment of its own
	$(PYTHON) -m venv benchmarks/.bfcl
	benchmarks/.bfcl/bin/pip install --quiet --no-deps bfcl-eval

schema: $(VENV)/.installed   ## write synthtools/blueprint.schema.json
	$(BIN)/python tests/test_schema.py

page: $(VENV)/.tested        ## write the generated part of README.md
	$(BIN)/python tests/readme_page.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.tested: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,train]"
	@touch $@ $(VENV)/.installed

$(BIN)/python:
	@sh .ci/venv "$(PYTHON)" "$(VENV)"

# make run: install into .venv and do the main job. make test: install what the tests need and run them all.
PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/first
TORCH ?= torch==2.13.0
ADAPTERS := inspect mcp openenv skyrl verifiers
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q

.PHONY: run test test-core test-adapters lint bench bfcl schema page clean

run: $(VENV)/.installed
	$(BIN)/synthtools run --out $(OUT)

test: lint
	$(PYTEST)
	@$(MAKE) --no-print-directory test-adapters

test-core: lint
	$(PYTEST) -m "not slow"

test-adapters: $(ADAPTERS:%=.venv-%/.tested)   ## each with the real client, in an environment of its own
	@set -e; for name in $(ADAPTERS); do echo "== $$name"; \
	.venv-$$name/bin/python -m pytest -q --confcutdir=tests/adapters tests/adapters/test_$$name*.py; done

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
	rm -rf $(VENV) $(ADAPTERS:%=.venv-%) build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv-%/.tested: pyproject.toml
	@test -x .venv-$*/bin/python || sh .ci/venv "$(PYTHON)" .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]" pytest hypothesis
	@touch $@

$(VENV)/.tested: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,train]"
	@touch $@ $(VENV)/.installed

$(BIN)/python:
	@sh .ci/venv "$(PYTHON)" "$(VENV)"

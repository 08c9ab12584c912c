# Two commands matter: `make run` shows the product with its demo brand, `make test` checks all of it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# On a machine without a screen or sudo these stay what they are; .ci/run installs what is missing.
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install install-dev run test check format bench faults lock clean

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ascolto needs Python 3.11 or newer; try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }

$(VENV)/.installed: requirements-postgres.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-postgres.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.installed $@

# Only the tests of models that are loaded by name need torch. It stands in a folder of its own: spaCy loads it
# wherever it finds it, which would cost every process of the tests seconds and memory.
$(VENV)/torch/.installed: | $(VENV)/.installed-dev
	@echo "Installing torch for the tests (once)"
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(VENV)/torch "torch==2.13.0" sympy networkx jinja2 fsspec filelock typing-extensions mpmath markupsafe
	@touch $@

run: install
	@$(BIN)/ascolto demo

test: install-dev $(VENV)/torch/.installed
	@$(BIN)/python -m tests.prepare
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.check_schema
	$(BIN)/python -m ascolto.web.vendor --check
	$(BIN)/python -m pytest -q tests/unit/docs

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install-dev
	$(BIN)/python -m tests.bench $(if $(SCALE),--scale $(SCALE))

faults: install-dev
	$(BIN)/python -m tests.faults.campaign $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

# Needs the registries; writes the three hash-checked locks. torch stays outside: nothing here asks for it.
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet pyproject.toml
lock: install-dev
	$(COMPILE) -o requirements.txt
	$(COMPILE) --extra postgres -o requirements-postgres.txt
	$(COMPILE) --extra postgres --extra dev -o requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

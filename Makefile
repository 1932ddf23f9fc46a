# Two commands: `make demo` and `make test`. Each sets itself up from a bare Python >= 3.11.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_OUT ?= out/demo
DEMO_DOCUMENTS ?= 1500

.PHONY: demo test lint schemas bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "oreline needs Python 3.11 or later, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable ".[demo]" --group dev
	@touch $@

demo: $(VENV)/.installed  ## Triples from the documentation of Python's own standard library.
	@mkdir -p out
	$(BIN)/oreline run examples/demo.yaml --set output=$(DEMO_OUT) --set sources.0.limit=$(DEMO_DOCUMENTS)

test: $(VENV)/.installed lint  ## Lint, types, tests.
	$(BIN)/python -m pytest -q

lint: $(VENV)/.installed
	$(BIN)/ruff check pipelines tests benchmarks
	$(BIN)/ruff format --check pipelines tests benchmarks
	$(BIN)/mypy

schemas: $(VENV)/.installed  ## Writes schemas/ from the Python types.
	$(BIN)/python -m oreline.contracts schemas

bench: $(VENV)/.installed  ## Lists the benchmarks; each is a script that prints a table.
	@ls benchmarks/*.py

clean:
	rm -rf $(VENV) out dist .mypy_cache .ruff_cache .pytest_cache

# Every target sets up what it needs in .venv; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install test lint demo bench

install: $(STAMP)

# The torch of the constraints is the CPU build where the index offers one.
$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("pcmsim needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --editable '.[music,test]'
	touch $(STAMP)

# Two files at a time: most tests use one core.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

demo: $(STAMP)
	$(BIN)/pcmsim demo

bench: $(STAMP)
	$(BIN)/python -m pytest benchmarks -c setup.cfg -o python_files='bench_*.py' -m '' --benchmark-enable

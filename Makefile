# make setup   build .venv with every pinned version (the other targets do it when it is due)
# make demo    find, prove and mend the blind spots of the embedded model: runs/demo/report.html
# make test    every test
# make docs    the documentation site: site/index.html
# make check   lint, format, types, import order and the tests of the rooms without torch: under a minute

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
SOURCES := src tests recipes docs/hooks
BARE_TESTS := tests/test_house.py tests/test_architecture.py tests/core tests/store tests/diagnose tests/verify

.PHONY: setup demo test docs check types lint layers bare-tests
.DELETE_ON_ERROR:

setup: .stamp-setup

# --no-compile: Python compiles what is imported anyway; the rest (most of torch) would only cost time.
.stamp-setup: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "scotoma needs Python 3.11 or newer: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[train,topics,agents]' --group dev
	@touch $@

demo: .stamp-setup
	$(BIN)/scotoma evolve --config configs/pupil.yaml --out runs/demo
	@echo "report: $(CURDIR)/runs/demo/report.html"

test: .stamp-setup
	$(BIN)/python -m pytest -n 2

docs: .stamp-setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Two at a time: the types take as long as the tests. Killing processes over and over, and three quarters of hypothesis'
# examples, are left to `make test`.
check: .stamp-setup
	@$(MAKE) --no-print-directory -j2 types lint layers bare-tests

types:
	$(BIN)/mypy

lint:
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

layers:
	$(BIN)/lint-imports --no-logo

bare-tests:
	$(BIN)/python -m pytest --hypothesis-profile brief $(BARE_TESTS) --ignore tests/store/test_resume.py

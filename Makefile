# Each target sets up what it needs by itself. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
# Compiled modules are kept in .venv: without them every process compiles torch and Avalanche anew, half of its start.
unexport PYTHONDONTWRITEBYTECODE
SNAKEMAKE = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)

.DEFAULT_GOAL := help
.PHONY: help setup results report test check bench faults slurm ui partial clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.installed: requirements.lock requirements-uv.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-uv.lock requirements.lock
	touch $@

setup: .venv/.installed  ## create .venv from the hash-pinned lock file

results: setup  ## run the default suite and print its tables
	$(SNAKEMAKE)
	@$(BIN)/python -m recollect show digits
	@echo "Figures: results/figures/digits    Browse the runs: make ui"
	@echo "Everything on one page: results/report/digits/index.html"

report: setup  ## write the page of all committed results (results/reproduced)
	@$(BIN)/python -m recollect kept-report

partial: setup  ## tabulate what has finished so far
	$(SNAKEMAKE) partial

test: setup  ## run the tests (those with real data need RECOLLECT_DATA)
	$(BIN)/python -m pytest

check: setup  ## style, types and workflow lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint --cores 1

bench: setup  ## measure speed and memory, write docs/benchmarks.md
	$(BIN)/python -m benchmarks

faults: setup  ## faults on purpose: the long form of tests/faults, and 50 kills of the default suite
	RECOLLECT_FAULTS=1 $(BIN)/python -m pytest tests/faults
	$(BIN)/python tests/faults/kill_everywhere.py

slurm: setup  ## run the tests on a real SLURM that they start (as root; packages slurm-wlm and munge)
	RECOLLECT_SLURM=1 $(BIN)/python -m pytest tests/slurm

ui: setup  ## browse the runs in MLflow on http://127.0.0.1:5000
	$(BIN)/python -m recollect ui

lock:  ## write the lock files anew from requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header requirements.in -o requirements.lock
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header - -o requirements-uv.lock

clean:  ## remove the environment and caches; results stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

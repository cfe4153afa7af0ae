# `make demo` and `make test` work from nothing: the first call makes .venv with the versions of requirements.lock.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
DEV := $(VENV)/.dev
# With another shell than its own, the make of macOS too looks for commands in this path.
SHELL := /bin/bash
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: install
install: $(READY) ## Make .venv with what running takes

$(READY): requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --constraint requirements.lock --editable .
	touch $@

$(DEV): $(READY)
	$(VENV)/bin/pip install --quiet --constraint requirements.lock --editable '.[dev]'
	touch $@

.PHONY: demo
demo: $(READY) ## Run every study on synthetic scenes: results/demo/index.html
	snakemake --cores 4 --resources gpu=2 --config preset=demo

.PHONY: test
test: $(DEV) ## Run all tests, those of the workflow too
	pytest --numprocesses 2 --dist loadfile

.PHONY: fast
fast: $(DEV) ## Run the tests that take no process or minute of their own
	pytest --numprocesses 2 --dist loadfile -m "not slow and not workflow"

.PHONY: lint
lint: $(DEV) ## Check style, types, rules and the schema of params.yaml
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check --compact-diff Snakefile workflow
	snakemake --lint
	python -m seg.config.params

.PHONY: bench
bench: $(DEV) ## Time us against peers, in one run
	python -m benchmarks

.PHONY: lock
lock: $(DEV) ## Write requirements.lock anew from pyproject.toml
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11.4 --no-header --no-annotate \
		--output-file requirements.lock

# `make demo` and `make test` work from nothing: the first call makes .venv from requirements.lock.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: install
install: $(READY) ## Make .venv from the lock file

$(READY): requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --requirement requirements.lock
	$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: demo
demo: $(READY) ## Run every study on synthetic scenes: results/demo/index.html
	snakemake --cores 4 --resources gpu=2 --config preset=demo

.PHONY: test
test: $(READY) ## Run all tests, those of the workflow too
	pytest

.PHONY: fast
fast: $(READY) ## Run the tests that take no process or minute of their own
	pytest -m "not slow and not workflow"

.PHONY: lint
lint: $(READY) ## Check style, types, rules and the schema of params.yaml
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check --compact-diff Snakefile workflow
	snakemake --lint
	python -m seg.params

.PHONY: bench
bench: $(READY) ## Time us against peers, in one run
	python -m benchmarks

.PHONY: lock
lock: $(READY) ## Write requirements.lock anew from pyproject.toml
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-header --no-annotate \
		--output-file requirements.lock

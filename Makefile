# Every target creates its environment if it is missing: .venv, with the versions of requirements.lock.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
DEV := $(VENV)/.dev
# macOS's make searches the exported PATH for commands only if SHELL is not its default.
SHELL := /bin/bash
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: install
install: $(READY) ## Create .venv

$(READY): requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --constraint requirements.lock --editable .
	touch $@

$(DEV): $(READY)
	$(VENV)/bin/pip install --quiet --constraint requirements.lock --editable '.[dev]'
	touch $@

.PHONY: demo
demo: $(READY) ## Run every study on synthetic scenes -> results/demo/index.html
	snakemake --cores 4 --resources gpu=2 --config preset=demo

.PHONY: test
test: $(DEV) ## Run all tests
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: fast
fast: $(DEV) ## Run the tests that are neither slow nor run the workflow
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not slow and not workflow"

.PHONY: lint
lint: $(DEV) ## Check style, types, rules and params.yaml
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check --compact-diff Snakefile workflow
	snakemake --lint
	python -m seg.config.params

.PHONY: docs
docs: $(DEV) ## Build the documentation -> site/index.html
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

.PHONY: bench
bench: $(DEV) ## Run the benchmarks against other libraries
	$(VENV)/bin/pip install --quiet --constraint requirements.lock --editable '.[bench]'
	python -m benchmarks

.PHONY: lock
lock: $(DEV) ## Update requirements.lock from pyproject.toml
	uv pip compile pyproject.toml --extra dev --extra bench --universal --python-version 3.11.4 --no-header --no-annotate \
		--output-file requirements.lock

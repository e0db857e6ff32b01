# `make demo` and `make test` do all of their own set-up and print what they do.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv/bin
CORES ?= all

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing: Python packages, ffmpeg, unar.
	@./setup.sh

demo: setup ## Build the demo dataset, offline, and say where everything is.
	@echo "== Building the demo: snakemake --cores $(CORES)"
	@PATH="$(CURDIR)/$(VENV):$$PATH" snakemake --cores $(CORES)
	@PATH="$(CURDIR)/$(VENV):$$PATH" python -m scripts.show_results results/demo
	@echo "== Open results/demo/report.html in a browser. One video failed on purpose."
	@echo "== Your own videos are next: docs/getting_started.md"

test: setup ## Check style and run the tests.
	@echo "== Checking style"
	@PATH="$(CURDIR)/$(VENV):$$PATH" ruff check .
	@PATH="$(CURDIR)/$(VENV):$$PATH" ruff format --check .
	@PATH="$(CURDIR)/$(VENV):$$PATH" snakefmt --check Snakefile rules
	@PATH="$(CURDIR)/$(VENV):$$PATH" snakemake --lint
	@echo "== Running the tests"
	@PATH="$(CURDIR)/$(VENV):$$PATH" pytest

test-cluster: setup ## Build the demo on a SLURM of its own, and in conda environments.
	@./setup.sh cluster
	@echo "== Running the tests of clusters and environments"
	@PATH="$(CURDIR)/$(VENV):$(CURDIR)/.tools/bin:$$PATH" pytest tests/cluster

format: setup ## Bring all files to the house style.
	@$(VENV)/ruff check --fix . && $(VENV)/ruff format . && $(VENV)/snakefmt Snakefile rules

.PHONY: help setup demo test test-cluster format

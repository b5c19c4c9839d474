# What a person does here. `make run` and `make test` need Python 3.11 or later and nothing else.

PYTHON ?= python3
BIN := .venv/bin
SAM := .venv-sam/bin
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench-behaviour bench-state plots golden openapi validate build deploy clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or later is needed: install it, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { echo "python cannot make a virtual environment: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@echo "installing into .venv ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]' \
	  || { echo "the installation failed: check the network, then: rm -rf .venv, and make again" >&2; exit 1; }
	@touch $@

.venv-sam/.ready: pyproject.toml
	@$(PYTHON) -m venv .venv-sam
	@echo "installing SAM CLI into .venv-sam ..."
	@$(SAM)/pip install --quiet --disable-pip-version-check 'aws-sam-cli>=1.140,<2' 'cfn-lint>=1.30,<2' \
	  || { echo "the installation failed: check the network, then: rm -rf .venv-sam, and make again" >&2; exit 1; }
	@touch $@

run: .venv/.ready ## serve http://localhost:8000/v1 (PORT, DYNAMODB=embedded|local|http://..., IDENTITY_OS_DOCS_ENABLED=true)
	@exec $(BIN)/python -m local

demo: .venv/.ready ## play a short story against the running API
	@$(BIN)/python -m local.demo

test: .venv/.ready ## everything that needs nothing but Python
	@$(BIN)/python -m pytest

lint: .venv/.ready ## style, types, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench-behaviour: .venv/.ready ## the guardrail comparison and the reference behaviours, as tables
	@$(BIN)/python -m benchmarks.behaviour

bench-state: .venv/.ready ## size of the state at 100 and at 1,000,000 cycles (some minutes)
	@$(BIN)/python -m benchmarks.state_size

plots: .venv/.ready ## draw the figures of docs/concepts.md
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[plots]'
	@$(BIN)/python -m benchmarks.plots

golden: .venv/.ready ## write tests/golden.json anew, after ENGINE_VERSION was raised
	@$(BIN)/python -m tests.golden

openapi: .venv/.ready ## write docs/openapi.json
	@$(BIN)/python -m local.openapi

validate: .venv-sam/.ready ## sam validate --lint
	@$(SAM)/sam validate --lint

build: .venv-sam/.ready ## sam build
	@$(SAM)/sam build

deploy: build ## sam build && sam deploy
	@$(SAM)/sam deploy

clean: ## remove what was installed and built; .local keeps its data
	rm -rf .venv .venv-sam .aws-sam build *.egg-info

# Ascolto: every target with one sentence. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
SEEDS ?= 3
COMPOSE ?= deploy/compose.yaml
DOCKER_COMPOSE = docker compose -f $(COMPOSE)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup setup-dev demo run test test-browser test-real servers servers-down faults bench lint format proto lock migrate backup restore up down upgrade logs clean

help: ## Lists what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.made:
	@if [ -z "$(PYTHON)" ]; then echo "Ascolto needs Python 3.11 or newer, and found none. Install one, or say where: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@echo "Making the environment in .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: .venv/.made requirements.lock pyproject.toml
	@echo "Installing what it needs (pinned, with hashes)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	@echo "Installing the tools of development (pinned, with hashes)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

services/desk/static/vendor/.made: deploy/browser/package-lock.json deploy/browser/vendor.sh | .venv/.made
	@echo "Fetching the browser code of the desk (pinned, with integrity)"
	@deploy/browser/vendor.sh
	@touch $@

setup: .venv/.installed services/desk/static/vendor/.made ## Makes .venv with the command `ascolto`, and fetches the desk's browser code.

setup-dev: setup .venv/.installed-dev ## As setup, with what tests and checks need.

demo: setup ## Starts a simulated shop's day; prints the address and the first password.
	@exec $(BIN)/ascolto demo

run: setup ## Runs all services in one process.
	@exec $(BIN)/ascolto run

test: setup-dev ## Runs the tests that need no server and no browser.
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser and not faults and not real" tests

test-browser: setup-dev ## Runs the tests in a real Chromium.
	@$(BIN)/python -m pytest -m "browser and not real" tests

servers: setup-dev ## Starts a real PostgreSQL, Kafka, Elasticsearch and S3 gateway for tests, without Docker; .servers/env names them.
	@$(BIN)/python -m deploy.local.servers up

servers-down: setup-dev ## Stops what `make servers` started.
	@$(BIN)/python -m deploy.local.servers down

test-real: setup-dev ## Runs the tests on real servers: those of TEST_*_URL, else Docker's, else local ones.
	@$(BIN)/python -m pytest -m "real and not faults" tests
	@TEST_DATABASE=postgres $(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser and not faults and not real" tests/tickets tests/intake tests/social

faults: setup-dev ## Runs the long fault sweeps; SEEDS=20 for the full one.
	@SEEDS=$(SEEDS) $(BIN)/python -m pytest -m faults tests

bench: setup-dev ## Measures speed beside a probe of the same run; BENCH=embedded or distributed for one; BENCH_FULL=1 for a million documents.
	@$(BIN)/python -m benchmarks $(BENCH)

lint: setup-dev ## Checks format, lint, types, import contracts, file lengths and the contract's freshness.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy services benchmarks deploy/local
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/rules

format: setup-dev ## Formats the code.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

proto: setup-dev ## Generates the Python contract from proto/.
	@proto/generate.sh

lock: ## Pins all dependencies anew, with hashes and without addresses.
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra install pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra install --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

migrate: setup ## Brings the databases' schema up to date.
	@$(BIN)/ascolto migrate

backup: setup ## Writes a backup of the running or stopped installation to TO=file.
	@$(BIN)/ascolto backup $(TO)

restore: setup ## Restores FROM=file into an empty data folder.
	@$(BIN)/ascolto restore $(FROM)

up: ## Starts the distributed system in containers; COMPOSE=deploy/compose.embedded.yaml the embedded one.
	@deploy/prepare.sh
	@$(DOCKER_COMPOSE) up --build --detach --wait

down: ## Stops the containers; data stay in their volumes.
	@$(DOCKER_COMPOSE) down

upgrade: ## Builds anew, migrates, and replaces one service after the other, those that read the log before those that write it.
	@$(DOCKER_COMPOSE) build
	@services=$$($(DOCKER_COMPOSE) config --services); \
	if grep -qx migrate <<<"$$services"; then $(DOCKER_COMPOSE) run --rm migrate; fi; \
	for one in search desk social tickets intake ascolto; do \
		if grep -qx $$one <<<"$$services"; then echo "Replacing $$one"; $(DOCKER_COMPOSE) up --detach --wait --no-deps $$one; fi; \
	done

logs: ## Follows the log of all containers, or of SERVICE=name.
	@$(DOCKER_COMPOSE) logs --follow --tail 100 $(SERVICE)

clean: ## Removes what was built; data in .ascolto/ stays.
	@rm -rf .venv build *.egg-info services/desk/static/vendor .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

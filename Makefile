# The template's own commands. `make` alone lists them.
PYTHON ?= python3
# What `make demo` renders: MODE=jwt CACHING=true WEBHOOKS=true; empty means the default.
MODE ?=
CACHING ?=
WEBHOOKS ?=
# How many projects `make test-slow` works on at a time: tests wait for a third of their time.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# What `make bench` measures: the rows with this in their names, and how often.
ONLY ?=
ROUNDS ?=
# BEFORE=v1.0.0 measures the services of that version, or commit, beside those of the tree.
BEFORE ?=
# CHECK=1 makes it fail where a floor is not reached, PROFILE=introspection profiles that row instead.
CHECK ?=
PROFILE ?=
# What `make release` makes.
VERSION ?=
ALL ?=

BIN := .venv/bin
STAMP := .venv/.installed
export UV_PYTHON_DOWNLOADS := never
# uv where there is one, else the one that `make` put into .venv.
export PATH := $(PATH):$(CURDIR)/$(BIN)

.PHONY: help install render demo test test-fast test-slow bench lint release

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: $(STAMP) ## Put what the commands below need into .venv

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, for instance: make PYTHON=python3.12")'
	@command -v uv >/dev/null || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet 'uv>=0.5,<1'; }
	@uv venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	@uv pip install --quiet --python $(BIN)/python --group dev --group service
	@touch $@

render: $(STAMP) ## Render every combination into build/
	@$(BIN)/python -m tests.render all

demo: $(STAMP) ## Render a service, install it, run it and call it (MODE= CACHING= WEBHOOKS=)
	@$(BIN)/python -m tests.render demo validation_mode=$(MODE) include_caching=$(CACHING) include_webhooks=$(WEBHOOKS)
	@$(MAKE) --no-print-directory -C build/demo/widget-service install
	@$(BIN)/python -m tests.demo build/demo/widget-service

test: test-fast test-slow ## Everything

test-fast: $(STAMP) ## What rendering alone can show, in seconds
	$(BIN)/python -m pytest tests/fast -q -n $(WORKERS) --dist loadfile

test-slow: $(STAMP) ## Install, check, test and run every combination
	$(BIN)/python -m pytest tests/slow -v -n $(WORKERS) --dist loadscope --no-loadscope-reorder

bench: $(STAMP) ## Measure what the service costs, with wrk (ONLY= ROUNDS= BEFORE= CHECK=1 PROFILE=)
	@$(BIN)/python -m benchmarks --only '$(ONLY)' --rounds '$(ROUNDS)' --before '$(BEFORE)' --profile '$(PROFILE)' $(if $(CHECK),--check)

lint: $(STAMP) ## Check all Python that is not part of a service: style, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

release: $(STAMP) ## Check, bump, commit and tag a release: VERSION=1.2.0 (ALL=1 runs the slow tests too)
	@$(BIN)/python -m release '$(VERSION)' $(if $(ALL),--all)

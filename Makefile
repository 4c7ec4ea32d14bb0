# One command for each task; `make help` lists them. Works with GNU make 3.81 (macOS) and newer.
SHELL := /bin/sh
VENV ?= .venv
PORT ?= 8000
WORKERS ?= 2
# Each worker takes neighbours and steals from the other at the end: fixtures of a module are made once.
NEIGHBOURS := -n $(WORKERS) --dist worksteal

PYTHON := $(VENV)/bin/python
PLUGINS := $(patsubst %/pyproject.toml,./%,$(wildcard plugins/*/pyproject.toml))
WRITERS := $(wildcard tools/write_*.py) tools/extract_messages.py
MANIFESTS := constraints.txt requirements-dev.txt pyproject.toml \
	$(wildcard plugins/*/pyproject.toml) tools/install.sh

# An environment whose Python is gone, or which belongs to another checkout, is made anew.
USABLE := $(shell $(PYTHON) tools/is_installed.py 2>/dev/null && echo yes)
RENEW := $(if $(USABLE),,renew)

.PHONY: help run test test-slow test-browser check check-format check-lint check-types check-templates \
	check-generated check-layout bench screens lighthouse supply-chain fmt wheels constraints clean renew

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' Makefile

run: $(VENV)/.installed-run ## Start the demo on http://127.0.0.1:8000; PORT= changes the port
	@exec $(PYTHON) -m callboard_web demo --listen 127.0.0.1:$(PORT)

test: $(VENV)/.installed-dev ## Run every test but those in a browser and those that take long
	@$(PYTHON) -m pytest -q $(NEIGHBOURS) -m "not slow and not browser"

test-slow: $(VENV)/.installed-dev ## Run the tests that take long
	@$(PYTHON) -m pytest -q -n $(WORKERS) --dist loadfile -m slow

test-browser: $(VENV)/.installed-dev ## Run the tests in Chromium
	@$(PYTHON) -m pytest -q $(NEIGHBOURS) -m browser

check: check-format check-lint check-types check-templates check-generated check-layout ## Check style, types, templates, generated files, layout

check-format: $(VENV)/.installed-dev
	@$(PYTHON) -m ruff format --check .

check-lint: $(VENV)/.installed-dev
	@$(PYTHON) -m ruff check .

check-types: $(VENV)/.installed-dev
	@$(PYTHON) -m mypy

check-templates: $(VENV)/.installed-dev
	@$(PYTHON) -m djlint --lint --quiet web plugins examples

check-generated: $(VENV)/.installed-dev
	@status=0; for tool in $(WRITERS); do $(PYTHON) $$tool --check || status=1; done; exit $$status

check-layout: $(VENV)/.installed-dev
	@$(PYTHON) -m pytest -q tests/unit/test_repository_layout.py

bench: $(VENV)/.installed-dev ## Measure and write docs/benchmarks.md; ARGUMENTS="--help" for choices
	@$(PYTHON) bench/run.py $(ARGUMENTS)

screens: $(VENV)/.installed-dev ## Take pictures of every page into var/screens; ARGUMENTS="--help" for choices
	@$(PYTHON) tools/take_screens.py $(ARGUMENTS)

lighthouse: $(VENV)/.installed-dev ## Measure the main pages with Lighthouse (needs Node.js)
	@$(PYTHON) tools/measure_lighthouse.py

fmt: $(VENV)/.installed-dev ## Format the code and write the generated files
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format .
	@set -e; for tool in $(WRITERS); do $(PYTHON) $$tool; done

wheels: $(VENV)/.installed-dev ## Build the wheels of the host and of each plugin into dist/
	@$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist . $(PLUGINS)
	@ls dist

supply-chain: $(VENV)/.installed-dev ## Ask for known weaknesses; write a bill of materials into dist/
	@tools/install.sh $(VENV)-supply-chain -r tools/supply-chain.txt
	@$(PYTHON) tools/supply_chain.py $(VENV)-supply-chain/bin $(ARGUMENTS)

constraints: ## Pin the newest versions that fit together, in constraints.txt
	@tools/renew_constraints.sh

clean: ## Remove what the tasks made: environment, builds, caches
	rm -rf .venv .venv-supply-chain dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find core catalog web plugins tests tools bench examples -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed-run: $(MANIFESTS) $(RENEW)
	@tools/install.sh $(VENV) -c constraints.txt -e . $(addprefix -e ,$(PLUGINS))
	@touch $@

$(VENV)/.installed-dev: $(MANIFESTS) $(RENEW)
	@tools/install.sh $(VENV) -r requirements-dev.txt
	@touch $(VENV)/.installed-run $@

# The ways into the project. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo up test check bench bench-placement bench-scheduling interop judge-placement judge-tempest judge-duplicates fuzz soak chaos race mutants oracle clean

PYTHON := .venv/bin/python
TESTS ?=

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-15s %s\n", $$1, $$2 }'

setup: ## make the virtual environment, with .venv/bin/kilonova in it
	@tools/setup .venv requirements/dev.txt --project

demo: setup ## boot a real virtual machine with the real `openstack` client
	@$(PYTHON) -m tools.demo

up: setup ## run a cloud in the foreground
	@echo "clouds.yaml will be in the state directory ($$(.venv/bin/kilonova config show --json | sed 's/.*"state":"\([^"]*\)".*/\1/')). In another terminal:"
	@echo '    eval "$$($(CURDIR)/.venv/bin/kilonova env)"'
	@echo '    openstack server list'
	@.venv/bin/kilonova up

test: setup ## pass the tests
	@$(PYTHON) -m pytest -n 2 -m "not interop" $(TESTS)

check: setup ## format, lint, types, import ladder, house rules, docs
	@.venv/bin/ruff format --check --quiet
	@.venv/bin/ruff check --quiet
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PYTHON) -m pytest tests/house tests/docs

bench: setup ## measure, and print each figure with the floor of the same run
	@$(PYTHON) -m bench

bench-placement: setup ## compare the real openstack-placement with ours, and measure both in turns
	@$(PYTHON) -m bench.placement

bench-scheduling: setup ## measure choosing hosts among up to 200,000, and placements until they are on the disk
	@$(PYTHON) -m bench.scheduling

interop: setup ## judge the cloud with real clients and real Keystone, Glance, Neutron and Cinder
	@$(PYTHON) -m tools.interop

judge-placement: setup ## judge the Placement API by the tests that OpenStack's own packages ship
	@$(PYTHON) -m tools.judges.placement $(TESTS)

judge-tempest: setup ## judge the Compute API by Tempest's own tests of it
	@$(PYTHON) -m tools.judges.tempest $(TESTS)

fuzz: setup ## judge the Compute API by its OpenAPI documents with 100,000 requests; FUZZ_REQUESTS=N for fewer
	@$(PYTHON) -m tools.fuzz

judge-duplicates: setup ## judge the search for duplicates by real ones: DATA=DIRECTORY with the sets of GitBugs
	@$(PYTHON) -m tools.judge_duplicates $(DATA)

soak: setup ## simulate until a million faults have struck; goes on where it was stopped
	@$(PYTHON) -m tools.soak

chaos: setup ## kill and freeze a real cloud under load 200 times, and judge it; then compare a silent bus
	@$(PYTHON) -m tools.chaos
	@$(PYTHON) -m tools.chaos silent-bus

race: setup ## let eight processes race on SQLite and on PostgreSQL, and judge what they leave behind
	@tools/install-packages database
	@$(PYTHON) -m tools.race

mutants: setup ## break the design in every way that the simulation must see
	@.venv/bin/kilonova sim mutants

oracle: setup ## compare the search of candidates with one that tries everything, 100,000 times
	@KILONOVA_ORACLE_CASES=100000 $(PYTHON) -m pytest tests/unit/placement/test_search_oracle.py

clean: ## remove what was made here, but no state directory
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

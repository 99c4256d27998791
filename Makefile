# Gatehouse: what to type. `make` alone lists it. Nothing here needs more than git, make, a C compiler and Python 3.12.
# Paths are relative, so that a checkout may lie in a path with spaces.

.DEFAULT_GOAL := help
.PHONY: help run test test-long bench check corpus screenshots lock reset install install-dev doubles
SHELL := /bin/sh

PY := .venv/bin/python
WITH_SERVERS := $(PY) -m embedded test --
OWN := portal usage gateways subscriptions apis ai aws teams audit embedded

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: install .venv-ministack/installed ## start everything on this machine and say where it is; Ctrl-C stops it
	@$(PY) -m embedded run

reset: ## drop all data of `make run` (refused while it runs)
	@if [ -x $(PY) ]; then $(PY) -m embedded reset; else echo "There is nothing to drop."; fi

test: install-dev .venv-ministack/installed ## run the tests against real servers; ARGS="tests/teams -k invite" for some of them
	@scripts/test "not long" $(ARGS)

test-long: install-dev doubles ## run the full counts, soaks and oracles too
	@scripts/test long $(ARGS)

bench: install-dev ## measure what is promised, and put the table into README.md; ARGS=quick or full
	@$(WITH_SERVERS) scripts/bench $(ARGS)

check: install-dev ## lint, types, import contracts, templates, migrations, schema, covered threats
	@$(WITH_SERVERS) scripts/check $(OWN)

corpus: install-dev ## import every OpenAPI document below DIR and report by kind of error
	@test -n "$(DIR)" || { echo "Name the directory: make corpus DIR=path/to/documents"; exit 2; }
	@$(PY) -m apis.spec.corpus "$(DIR)"

screenshots: install-dev .venv-ministack/installed ## take pictures of every page to var/screenshots
	@SCREENSHOTS=var/screenshots scripts/test browser $(ARGS)

lock: install-dev ## compile requirements/*.in to pinned, hashed files
	@scripts/lock

install: .venv/run.installed
install-dev: .venv/dev.installed
doubles: .venv-ministack/installed .venv-localstack/installed .venv-moto/installed

.venv/run.installed: requirements/run.txt scripts/install
	@scripts/install run

.venv/dev.installed: requirements/run.txt requirements/dev.txt scripts/install
	@scripts/install dev

.venv-%/installed: requirements/doubles/%.txt scripts/doubles
	@scripts/doubles $*

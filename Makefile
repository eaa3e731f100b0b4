# Every target prepares what it needs by itself (scripts/setup.sh); nothing has to be done before.
# Another Python: make PYTHON=/path/to/python3.12 test. Arguments to pytest: make test ARGS="-k scram".

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt bench setup clean clean-cache
MAKEFLAGS += --no-print-directory

bin := .venv/bin
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/causeway
ARGS ?=
# Processes that run tests side by side, each with servers of its own: most of the time they wait.
JOBS ?= 2

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo:  ## databases, the proxy and an application on this machine, in 90 seconds
	@scripts/setup.sh demo
	@$(bin)/python -m demo $(ARGS)

test:  ## every test, against real databases and real clients
	@scripts/setup.sh test
	@$(bin)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint:  ## ruff and mypy --strict
	@scripts/setup.sh lint
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy

fmt:  ## format the code and mend what ruff can mend
	@scripts/setup.sh lint
	@$(bin)/ruff check --fix-only .
	@$(bin)/ruff format .

bench:  ## throughput, latency and memory against Postgres and PgBouncer
	@scripts/setup.sh bench
	@$(bin)/python -m bench $(ARGS)

setup:  ## only the set-up, for all of the above
	@scripts/setup.sh all

clean:  ## remove what was built inside this checkout; the cache stays
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -f proxy/*/*.so proxy/_compiled.json
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	@[ ! -L .venv ] || rm -f .venv

clean-cache: clean  ## also remove the cache (environments, databases, logs)
	rm -rf "$(cache)"

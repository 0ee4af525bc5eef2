# Tasks of Berth. `make help` lists them; each says what it does. Everything happens in .venv, which is made when needed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
.DEFAULT_GOAL := help

VENV := .venv/.installed
PY := .venv/bin/python
# The lab makes namespaces and mounts: root's work. Its tests must not leave root's files in the checkout.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=BERTH_LAB,BERTH_LAB_MIRROR,CI)
# Bytecode is kept outside of it: without any, each `berth` that a test starts costs seconds of CPU.
BYTECODE = $(if $(SUDO),/var/lib/berth-lab/_bytecode,$(CURDIR)/.venv/bytecode)
KEEP_BYTECODE = env PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=
AS_ROOT = $(SUDO) $(KEEP_BYTECODE)$(BYTECODE)
PYTEST = $(KEEP_BYTECODE)$(CURDIR)/.venv/bytecode $(PY) -m pytest
LAB ?= berth
BERTH_LAB ?= test
export BERTH_LAB
# More arguments for pytest: make unit ARGS="-k quantity -x"
ARGS ?=
# How many labs side by side: tests on real hosts mostly wait. One of them uses two fifths of a core, and 1 GB.
LABS ?= 4
# make lab-tests TESTS=tests/lab/test_drift.py LABS=0 ARGS=-x
TESTS ?= tests/lab

.PHONY: help
help: ## list the tasks
	@echo "make TASK, where TASK is one of"
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(VENV) lab-packages ## a push, a rollout, a revert and a killed container on three real hosts, in a minute
	$(AS_ROOT) $(PY) -m tests.lab.demo

# --- the environment

.PHONY: venv
venv: $(VENV) ## make or mend .venv

$(VENV): requirements.lock pyproject.toml .ci/venv
	@.ci/venv

.PHONY: lock
lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --extra dev pyproject.toml -o requirements.lock

.PHONY: lab-packages
lab-packages:
	@.ci/packages -f tests/lab/packages.txt

# The tests' three hosts have engines of three Debian releases; those that are not here are fetched once and kept.
.PHONY: lab-engines
lab-engines: $(VENV) lab-packages
	@$(AS_ROOT) $(PY) -m tests.lab engines >/dev/null

# What some people use instead of Berth, to be compared with.
.PHONY: bench-packages
bench-packages:
	@.ci/packages docker-compose

# The link is tested against a real sshd of one's own on 127.0.0.1.
.PHONY: unit-packages
unit-packages:
	@.ci/packages openssh-server openssh-client

# --- checks

.PHONY: test
test: lint fast ## everything: lint, all tests without hosts, then those on real hosts
	@$(MAKE) --no-print-directory lab-tests TESTS="tests/contract tests/lab"
	@echo "all of make test passed"

# What the change is compared with: `make affected SINCE=HEAD~3`.
SINCE ?= origin/main

.PHONY: affected
affected: lint unit-packages ## lint and the tests that what changed since SINCE can break (tests/affected.py says how it knows)
	@tests=$$($(PY) -m tests.affected fast $(SINCE)); \
	  echo "affected: $$(wc -w <<<"$$tests") modules without hosts"; [ -z "$$tests" ] || $(PYTEST) -n 2 $$tests $(ARGS)
	@tests=$$($(PY) -m tests.affected hosts $(SINCE)); \
	  echo "affected on real hosts: $${tests:-none}"; [ -z "$$tests" ] || $(MAKE) --no-print-directory lab-tests TESTS="$$tests"

.PHONY: lint
lint: $(VENV) ## ruff, formatting, strict types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

.PHONY: format
format: $(VENV) ## let ruff put the formatting right
	$(PY) -m ruff check --fix --quiet . || $(PY) -m ruff check .
	$(PY) -m ruff format .

.PHONY: fast
fast: $(VENV) unit-packages ## unit, properties, kubernetes, golden, simulation: all tests that need no host, in one run
	$(PYTEST) -n 2 tests/unit tests/properties tests/kubernetes tests/golden tests/simulation $(ARGS)

# Each part of `fast` alone.
PARTS := unit properties kubernetes golden simulation
.PHONY: $(PARTS)
unit: ## tables of small facts (a minute at most)
properties: ## what must always hold, on generated input
kubernetes: ## the Kubernetes project's own test tables
golden: ## stories: repository and live state in, plan and status text out
simulation: ## the whole engine on simulated hosts with seeded faults
unit: unit-packages
$(PARTS): $(VENV)
	$(PYTEST) -n 2 tests/$@ $(ARGS)

NIGHTLY_HISTORIES ?= 10000

.PHONY: nightly
nightly: $(VENV) ## 10,000 seeded histories of the simulation (three quarters of an hour on two cores)
	BERTH_HISTORIES=$(NIGHTLY_HISTORIES) $(PYTEST) -n 2 tests/simulation $(ARGS)

.PHONY: contract
contract: $(VENV) lab-engines ## simulated and real hosts behave alike
	$(AS_ROOT) $(PY) -m pytest -n $(LABS) --dist loadfile --no-loadscope-reorder tests/contract $(ARGS)

.PHONY: lab-tests
lab-tests: $(VENV) lab-engines ## on real hosts: sshd, Docker Engines, Git remote, registry (root)
	$(AS_ROOT) $(PY) -m pytest -n $(LABS) --dist loadfile --no-loadscope-reorder $(TESTS) $(ARGS)

.PHONY: lab-cgroup2
lab-cgroup2: $(VENV) lab-engines ## what speaks of control groups, on hosts with cgroup v2 alone (a virtual machine; an hour)
	@.ci/packages user-mode-linux
	$(AS_ROOT) $(PY) -m tests.lab.pure_cgroup2 $(ARGS)

.PHONY: bench
bench: $(VENV) lab-packages bench-packages ## how fast, beside what one would use instead; all in one run
	$(AS_ROOT) $(PY) -m tests.bench $(ARGS)

# --- the lab and the rest

.PHONY: lab
lab: $(VENV) lab-packages ## bring up a lab of three Docker hosts on this machine (LAB=name)
	$(AS_ROOT) $(PY) -m tests.lab up --name $(LAB)

.PHONY: lab-down
lab-down: $(VENV) ## end that lab
	$(AS_ROOT) $(PY) -m tests.lab down --name $(LAB)

.PHONY: lab-purge
lab-purge: $(VENV) ## end that lab and remove its keys and images as well
	$(AS_ROOT) $(PY) -m tests.lab purge --name $(LAB)

.PHONY: docs
docs: $(VENV) ## write the generated parts of the documentation anew
	$(PY) docs/generate.py

.PHONY: clean
clean: ## remove what make made here: environment, caches, build output
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist bench-results *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# Everything a newcomer needs: python3 (3.11 or newer) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The peer that is measured beside the hub needs old libraries: it gets an environment of its own.
BENCH := $(VENV)-bench
# So do those whom tests meet through the hub, which speak OCPI and OCPP by libraries not ours.
PEER := $(VENV)-peer
STATION := tests/helpers/independent_station
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help run demo test peer lint format openapi conformance bench lock clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Start the hub, with a PostgreSQL of its own, on 127.0.0.1:8080
	$(BIN)/hub serve

demo: $(VENV)/.run ## Show a CPO, an eMSP and charging stations roam through a hub
	$(BIN)/hub demo --once --stations 3

test: $(VENV)/.dev ## Run all tests
	@$(MAKE) --no-print-directory --keep-going peer || \
	  echo "The independent platform or station cannot be installed; their tests are skipped." >&2
	$(BIN)/pytest $(PYTEST_ARGS)

peer: $(PEER)/.peer $(PEER)/.station ## Install the platform and the station that are not ours, for tests

lint: $(VENV)/.dev ## Check style, types and the generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy hub
	$(BIN)/hub openapi --check

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(VENV)/.dev ## Write openapi/ from the routes and schemas
	$(BIN)/hub openapi

conformance: $(VENV)/.dev ## Write docs/conformance.md from the tests
	$(BIN)/python -m tests.requirements

bench: $(BENCH)/.bench ## Measure the hub beside a bare aiohttp server
	$(BENCH)/bin/python -m benchmarks
	$(BENCH)/bin/python -m benchmarks.pricing

LOCK = $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

lock: $(VENV)/.dev ## Pin the newest versions that setup.cfg allows
	$(LOCK) setup.cfg --upgrade --extra tests --extra lint --output-file requirements-dev.lock
	$(LOCK) setup.cfg --constraint requirements-dev.lock --output-file requirements.lock
	$(LOCK) setup.cfg --constraint requirements.lock --extra bench --output-file requirements-bench.lock
	$(LOCK) requirements-peer.in --upgrade --output-file requirements-peer.lock

clean: ## Remove what was built; hub-data stays
	rm -rf $(VENV) $(BENCH) $(PEER) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A stamp for each set of packages, renewed when its lock file changes.
$(VENV)/.run: requirements.lock setup.cfg setup.py pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock setup.cfg setup.py pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(BENCH)/.bench: requirements-bench.lock setup.cfg setup.py pyproject.toml | $(BENCH)/bin/python
	$(BENCH)/bin/pip install --quiet --require-hashes -r requirements-bench.lock
	$(BENCH)/bin/pip install --quiet --no-deps --editable .
	@touch $@

$(PEER)/.peer: requirements-peer.lock | $(PEER)/bin/python
	$(PEER)/bin/pip install --quiet --require-hashes -r requirements-peer.lock
	@touch $@

$(PEER)/.station: $(STATION)/package-lock.json
	@command -v npm >/dev/null || { echo "The independent station needs Node and npm." >&2; exit 1; }
	@mkdir -p $(PEER)
	cp $(STATION)/package.json $(STATION)/package-lock.json $(PEER)/
	npm ci --prefix $(PEER) --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(VENV)/bin/python $(BENCH)/bin/python $(PEER)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "The hub needs Python 3.11 or newer; $(PYTHON) is older or missing. Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(patsubst %/bin/python,%,$@)

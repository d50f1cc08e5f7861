# Two commands for a fresh machine: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?= data
HOST   ?= 127.0.0.1
PORT   ?= 8000
SERVE  ?= --demo
MINUTES ?= 60
T       ?= tests
STORE   ?=
ROUNDS  ?= 4
COVER   ?= tests/domain
# Two more than there are cores: half of a test that talks to a database or a process is waiting.
CORES   := $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(shell echo $$(( $(CORES) + 2 )))

# Where this is set, each of the processes that tests start would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run tour ray attack faults test deep long quick quick-tests t check lint types layers tests docs format lock clean bench profile coverage

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.runtime ## set everything up and serve on 127.0.0.1:8000 (SERVE= for an empty catalogue)
	@$(BIN)/leasebook serve --host $(HOST) --port $(PORT) --data $(DATA) $(SERVE)

tour: $(VENV)/.runtime ## buy, deploy, call, release and see the bill, in half a minute
	@$(BIN)/leasebook tour

test: lint layers ## everything that a change needs: each kind of thing once, in six minutes on two cores
	@$(MAKE) --no-print-directory -j3 docs types tests

lint: $(VENV)/.dev ## style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy

layers: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports

tests: $(VENV)/.dev ## the tests of make test
	$(BIN)/pytest --workers $(WORKERS)

deep: $(VENV)/.dev ## all tests with all their values and on every store, as CI runs them
	LEASEBOOK_TEST_ROUNDS=1 $(BIN)/pytest --workers $(WORKERS)

long: $(VENV)/.dev ## the tests of make deep, with as much of what depends on chance as a night has time for (ROUNDS=4)
	LEASEBOOK_TEST_ROUNDS=$(ROUNDS) $(BIN)/pytest --workers $(WORKERS)

quick: lint ## lint, types, and the tests of rules, wire and the embedded store: a minute
	@$(MAKE) --no-print-directory -j2 types quick-tests

quick-tests: $(VENV)/.dev
	LEASEBOOK_TEST_STORE=sqlite $(BIN)/pytest -q -m 'not slow' --workers $(CORES) \
	  tests/domain tests/wire tests/batch tests/contract

t: $(VENV)/.dev ## the tests of one path (T=tests/api/test_buying.py), on one store where STORE=sqlite or postgres
	LEASEBOOK_TEST_STORE=$(STORE) $(BIN)/pytest $(T)

attack: $(VENV)/.dev ## what strangers and tenants may try, for as long as MINUTES says
	@until=$$(( $$(date +%s) + 60 * $(MINUTES) )); round=0; while [ $$(date +%s) -lt $$until ]; do \
	  round=$$(( round + 1 )); echo "round $$round"; \
	  LEASEBOOK_TEST_ROUNDS=$$(( 4 * round )) $(BIN)/pytest -q --workers $(WORKERS) tests/attack || exit 1; done

faults: $(VENV)/.dev ## what machines, databases, disks, clocks and chance do, for as long as MINUTES says
	@until=$$(( $$(date +%s) + 60 * $(MINUTES) )); round=0; while [ $$(date +%s) -lt $$until ]; do \
	  round=$$(( round + 1 )); echo "round $$round"; \
	  LEASEBOOK_TEST_ROUNDS=$$(( 4 * round )) $(BIN)/pytest -q --workers $(WORKERS) tests/faults tests/crash tests/simulation \
	    tests/reconciler/test_troubles.py || exit 1; done

docs: $(VENV)/.dev ## the generated pages are the ones that the code generates
	$(BIN)/leasebook docs --check

format: $(VENV)/.dev ## rewrite sources and generated pages
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/leasebook docs

coverage: $(VENV)/.dev ## the lines and branches of the domain that its own tests reach (COVER="tests/domain tests/life" for more)
	$(BIN)/coverage run -m pytest -q -p no:cacheprovider $(COVER)
	$(BIN)/coverage report

profile: $(VENV)/.dev ## a flame graph of a server under load, in flame.svg (FLAME="--store postgres --clients 128")
	$(BIN)/python -m benchmarks.flame $(FLAME)

bench: $(VENV)/.dev ## the purchase benchmark (prints ratios)
	$(BIN)/python -m benchmarks.purchase

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/server.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/server.txt -r requirements/build.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

ray: requirements/ray.txt requirements/dev.txt requirements/server.txt ## the Ray engine's tests, on a real cluster
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/server.txt -r requirements/build.txt -r requirements/dev.txt -r requirements/ray.txt
	.venv-ray/bin/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	.venv-ray/bin/pytest tests/engines/test_contract.py tests/engines/test_ray_serve.py tests/engines/test_ray.py -k "ray or Ray"

lock: $(VENV)/bin/python ## pin every dependency again, with hashes
	$(BIN)/pip install --quiet uv
	for part in server client build focus dev ray conformance focus-build:3.12 focus-validator:3.12 focus-model; do \
	  name=$${part%:*}; python=$${part#$$name}; python=$${python#:}; \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url \
	    --python-version $${python:-3.11} requirements/$$name.in -o requirements/$$name.txt; done

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

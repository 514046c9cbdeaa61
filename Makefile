# Two commands set up everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
RIVALS := .cache/rivals
C_FLOORS := .cache/compiled
# What runs so finds the compiled floors before those of the checkout.
COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/$(C_FLOORS):$(CURDIR)

# Compiled modules are kept, wherever the surroundings say otherwise: tests start a hundred processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo run test check format bench bench-detection bench-gateway bench-growth bench-memory bench-trips chaos chaos-alerts compiled test-compiled audit fuzz lock migration clean

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 25

# Everything is installed from the lock file, into the checkout alone.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tripswitch needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	awk '/^[a-z]/ { uv = /^uv==/ } uv' requirements.lock > $(VENV)/uv.lock  # installs in a tenth of pip's time
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(READY) ## see an incident from the first odd action to silence, in about a minute
	@$(BIN)/tripswitch demo

run: $(READY) ## start the daemon: CONFIG=file.toml, or the embedded default
	@$(BIN)/tripswitch run $(if $(CONFIG),--config $(CONFIG))

# Three at a time: most of what tests do is to wait. Each has a broker of its own; the slow files come first.
test: $(READY) ## run all tests; fetches a Kafka broker from Maven Central the first time
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# The image holds the two lower floors as C, so what is measured does; without a compiler they stay
# as they are. `uv build` builds from what it packed: the checkout stays as it is.
$(C_FLOORS)/.ready: pyproject.toml $(wildcard baselines/*.py detectors/*.py) $(READY)
	rm -rf $(C_FLOORS) && mkdir -p $(C_FLOORS)
	if command -v cc >/dev/null; then \
		HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/uv build --quiet --python $(BIN)/python --no-build-isolation --out-dir $(C_FLOORS)/dist . && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --target $(C_FLOORS) $(C_FLOORS)/dist/*.whl && \
		rm -r $(C_FLOORS)/dist $(C_FLOORS)/monitor $(C_FLOORS)/alerting; \
	else echo "no C compiler: nothing is compiled" >&2; fi
	@touch $@

compiled: $(C_FLOORS)/.ready ## build the two lower floors as C (two minutes), as the image has them

test-compiled: $(C_FLOORS)/.ready ## run the tests of those floors on what was compiled
	@$(COMPILED) $(BIN)/python -m pytest -n 3 tests/unit/baselines tests/unit/detectors $(ARGS)

check: $(READY) ## format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What the worker is compared with binds other versions of its libraries.
$(RIVALS)/.ready: tests/bench/rivals/requirements.lock $(READY)
	$(PYTHON) -m venv $(RIVALS)
	$(BIN)/uv pip install --quiet --python $(RIVALS)/bin/python --compile-bytecode --require-hashes -r $<
	@touch $@

bench: $(C_FLOORS)/.ready $(RIVALS)/.ready ## measure the worker against a bare loop, Quix Streams and Bytewax; JSON on stdout
	@$(COMPILED) $(BIN)/python -m tests.bench.throughput $(ARGS)

bench-detection: $(C_FLOORS)/.ready ## measure what detection catches and costs; JSON on stdout
	@$(COMPILED) $(BIN)/python -m tests.bench.detection $(ARGS)

bench-trips: $(C_FLOORS)/.ready ## measure how fast a rule cuts an agent off; JSON on stdout
	@$(COMPILED) $(BIN)/python -m tests.bench.trips $(ARGS)

bench-gateway: $(C_FLOORS)/.ready ## measure how long a gateway waits for a decision; JSON on stdout
	@$(COMPILED) $(BIN)/python -m tests.bench.gateway $(ARGS)

bench-growth: $(C_FLOORS)/.ready ## measure how cost grows with agents, targets, alerts, partitions, processes
	@$(COMPILED) $(BIN)/python -m tests.bench.growth $(ARGS)

bench-memory: $(C_FLOORS)/.ready ## measure the memory of an agent; JSON on stdout
	@$(COMPILED) $(BIN)/python -m tests.bench.memory $(ARGS)

chaos: export CHAOS_SEED := $(or $(CHAOS_SEED),$(shell date +%s))
chaos: $(READY) ## every fault under real daemons, and trips while all dies, on both databases: CHAOS_SEED= CHAOS_TRIPS=200
	@echo CHAOS_SEED=$(CHAOS_SEED)
	@CHAOS_FAULTS=1 CHAOS_TRIPS=$(or $(CHAOS_TRIPS),200) $(BIN)/python -m pytest -v -n 3 --dist load tests/scenario/test_chaos_trips.py tests/scenario/test_fault_matrix.py $(ARGS)

chaos-alerts: $(READY) ## kill -9 while alerts are told, on both databases: KILLS=200
	@TRIPSWITCH_KILLS=$(or $(KILLS),200) $(BIN)/python -m pytest -s tests/scenario/test_killed_while_telling.py $(ARGS)

audit: $(READY) ## look up known vulnerabilities of everything that is locked
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock $(ARGS)

fuzz: $(READY) ## make up and damage what comes from outside, for ten minutes: FUZZ_S=600
	@$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_S),600) $(ARGS)

lock: $(READY) ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --output-file requirements.lock pyproject.toml

migration: $(READY) ## write a migration: GROUP=ledger|state MESSAGE="what changes"
	@$(BIN)/python -m monitor.store.migrations $(GROUP) "$(MESSAGE)"

clean: ## remove what was made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

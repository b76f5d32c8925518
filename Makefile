# Two commands: `make run` and `make test`. The first call sets .venv up; later calls find it ready.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.ready-run
DEV_STAMP := $(VENV)/.ready-dev
RUN_EXTRAS := heif
DEV_EXTRAS := heif,postgres,s3,cluster,bench,train,dev
TEST_PROCESSES ?= 3
SLOW_PROCESSES ?= 2
SOAK_S ?= 600
SOAK_ARGS ?=
FUZZ_S ?= 600
BENCH_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint types bench bench-reports bench-families soak soak-cluster soak-rate fuzz lock clean

help: ## Show what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(RUN_STAMP) ## Start the bot, or without a DISCORD_TOKEN the demo in your browser.
	@$(BIN)/python -m bot run

# What measures time runs after the rest, alone.
test: $(DEV_STAMP) ## Run the tests (under ten minutes; skips say what would cure them).
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile -m "not slow and not gpu and not timed"
	$(BIN)/python -m pytest -m "timed and not slow and not gpu"

test-slow: $(DEV_STAMP) ## Run the tests that take longer.
	$(BIN)/python -m pytest -n $(SLOW_PROCESSES) --dist loadfile -m "slow and not timed" --timeout 600
	$(BIN)/python -m pytest -m "slow and timed" --timeout 600

lint: $(DEV_STAMP) ## Check style and formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP) ## Check types, strictly.
	$(BIN)/mypy

bench: $(DEV_STAMP) ## Measure beside the peers (a quarter of an hour); BENCH_ARGS=--smoke for a short run.
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-families: $(DEV_STAMP) ## Time each family at 512 px (two minutes) for docs/evaluation.md.
	$(BIN)/python -m benchmarks.families $(BENCH_ARGS)

bench-reports: $(DEV_STAMP) ## Time usage reports over ten million jobs (half an hour, 8 GB).
	$(BIN)/python -m benchmarks.reports $(BENCH_ARGS)

soak: $(DEV_STAMP) ## Run the whole bot under load for SOAK_S seconds.
	$(BIN)/python -m tests.soak --seconds $(SOAK_S)

soak-cluster: $(DEV_STAMP) ## Kill bots and workers on one PostgreSQL at random for SOAK_S seconds; SOAK_ARGS=--database kills that, too.
	$(BIN)/python -m tests.soak.cluster --seconds $(SOAK_S) $(SOAK_ARGS)

soak-rate: $(DEV_STAMP) ## Send fifty commands a second for a minute; needs two cores that are free.
	$(BIN)/python -m tests.soak.rate

fuzz: $(DEV_STAMP) ## Fuzz the picture intake for FUZZ_S seconds.
	$(BIN)/python -m tests.fuzz.fuzz_intake --seconds $(FUZZ_S)

lock: $(DEV_STAMP) ## Resolve constraints.txt anew from pyproject.toml.
	$(BIN)/uv pip compile -q pyproject.toml --all-extras --python-version 3.11 \
		--python-platform x86_64-manylinux_2_28 --no-header --no-annotate -o constraints.txt

clean: ## Remove the virtual environment and caches (never data).
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# uv installs the same pinned stack in a quarter of the time that pip, the fallback, takes. Compiled
# modules are what lets an engine start in a few seconds: else it would compile torch each time anew
# wherever Python is told not to write them.
define install
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Atelier's packages into $(VENV) (about 6 GB, a minute or two) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv || true
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[$(1)]' \
		|| $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[$(1)]'
endef

$(RUN_STAMP): pyproject.toml constraints.txt
	$(call install,$(RUN_EXTRAS))
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt
	$(call install,$(DEV_EXTRAS))
	@touch $@ $(RUN_STAMP)

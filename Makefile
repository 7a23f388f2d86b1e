# The commands of the house. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
DEMO := build/demo
.DEFAULT_GOAL := help
.PHONY: help install java demo clean-demo test test-long fuzz chaos soak check bench bench-scale bench-table zip env picture clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

install: $(VENV)/installed java ## create .venv and install everything, Java too where apt may be used

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "gristmill needs Python 3.11 or newer; this is %s (try: make PYTHON=python3.12 install)" % sys.version.split()[0])'
	@echo "Creating $(VENV) and installing: 3 GB on disk with a CPU build of PyTorch; a default Linux build brings several GB of CUDA."
	@echo "Another build: make install PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu' (README, Installation)."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS) -e '.[test]'
	@DS_BUILD_OPS=0 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt $(PIP_ARGS) deepspeed
	@touch $@

java:
	@if $(BIN)/python -c 'import sys; from corpus.session import java_problem; sys.exit(java_problem() is not None)'; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing a headless Java …"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; \
	else \
		$(BIN)/python -c 'from corpus.session import java_problem; print(java_problem())'; exit 2; \
	fi

demo: install ## crawl two local sites, add a wiki, books, code and mail, make a corpus, a tokenizer and a model of them (under 15 minutes)
	@$(BIN)/python -m jobs.demo --output $(DEMO)

clean-demo: ## forget the demo, so that the next one starts over
	rm -rf $(DEMO) $(DEMO).work

# one thread each: with two, the threads of one process wait spinning for a core that the other has, a third of the time of training tests
test: install ## the whole test suite, in two processes (under 20 minutes on 2 cores)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile $(PYTEST_ARGS)

test-long: install ## the tests that take their minutes
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long $(PYTEST_ARGS)

fuzz: install ## the property tests with new random examples for MINUTES (10)
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(PYTEST_ARGS)

chaos: install ## break runs in seventeen ways and compare the bytes with those of a run that nobody broke (under 20 minutes)
	@$(BIN)/python -m tests.chaos $(CHAOS)

soak: install ## real archives in a loop for MINUTES (30): memory and file handles must not grow; build/soak.png
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

check: install ## ruff and the type checker
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: install ## measure, beside the systems that users would otherwise take; BENCH="web filters" for some; build/bench.json
	@$(BIN)/python -m tests.benchmarks.run $(BENCH)

bench-scale: install ## growth from 10,000 to 1,000,000 documents, and what a whole crawl would take; SIZES=10k,100k for less
	@$(BIN)/python -m tests.benchmarks.scale $(SIZES)

bench-table: ## README's table of what was measured, from build/bench.json
	@$(BIN)/python -m tests.benchmarks.readme

zip: install ## build/gristmill.zip, for spark-submit --py-files
	@rm -rf build/wheel && $(BIN)/python -m build --quiet --wheel --outdir build/wheel . && cp build/wheel/gristmill-*.whl build/gristmill.zip && echo build/gristmill.zip

env: install ## build/env.tar.gz, the Python environment for --archives
	@mkdir -p build && $(BIN)/venv-pack -p $(VENV) -o build/env.tar.gz --force && echo build/env.tar.gz

picture: demo ## the picture of the report that README shows
	@$(BIN)/python -m tests.picture $(DEMO)/corpus/report.html notebooks/report.png

clean: ## remove what was built
	rm -rf build dist *.egg-info

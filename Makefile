# Two commands on a fresh machine do everything: `make demo` and `make test`. Every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FOLDERS := packages/core apps/chatbot apps/sentiment_monitor apps/recommender examples
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

# Tools of their own environment: nothing they need enters the one that is compared with the lock.
TOOLS := $(VENV)/tools
TOOLS_READY := $(TOOLS)/.ready

# Tests and demo start hundreds of processes: what Python compiled once is kept, whatever the machine's setting is.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test check ui bench bench-gpu accept dist lock sbom audit clean

setup: $(READY)  ## a virtual environment with everything, exact versions

# First what is locked, by its digests; then torch, whose build each machine chooses, and what needs no archive.
$(READY): pyproject.toml constraints.txt requirements.lock Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable ".[all,postgres]"
	$(BIN)/python -c "import lightgbm" 2>/dev/null || \
		(apt-get update -qq && apt-get install -y -qq libgomp1) || echo "LightGBM needs libgomp1: install it"
	# The folders by a plain path too: an editable install's finder gives way to a folder of this name beside a user's script.
	printf '%s\n' $(foreach one,$(FOLDERS),'$(CURDIR)/$(one)') > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/fieldtune.pth"
	touch $(READY)

demo: setup  ## the three applications end to end on the sample company, with a report in ./demo
	$(BIN)/fieldtune demo --out demo

test: setup  ## all tests, in as many processes as cores, four at most
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 12

check: setup  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers auto

ui_chatbot := --store demo/chatbot
ui_monitor := --config demo/monitor/monitor.toml
ui_recommender := --model demo/recommender
ui: setup  ## one of the demo's pages: make ui APP=chatbot|monitor|recommender
	FIELDTUNE_HOME=demo/home $(BIN)/fieldtune $(or $(APP),chatbot) ui $(ui_$(or $(APP),chatbot))

accept: setup  ## the acceptance table with what was last measured
	$(BIN)/python -m benchmarks.accept

bench: setup  ## measure rows again: make bench [ROWS=id,id] [QUICK=1]
	$(BIN)/python -m benchmarks.run $(if $(ROWS),--rows $(ROWS)) $(if $(QUICK),--quick)

bench-gpu: setup  ## the core on a GPU beside its peers; without one it says so
	$(BIN)/python -m benchmarks.run --rows gpu --again

dist: setup  ## wheel and sdist of the last commit in ./dist, the same bytes whoever builds them
	rm -rf dist
	$(BIN)/python -m benchmarks.archives dist

$(TOOLS_READY): Makefile
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv==0.13.9 cyclonedx-bom==7.5.0 pip-audit==2.10.1
	touch $@

lock: $(TOOLS_READY)  ## after a change of constraints.txt: the digests of every archive, but for torch
	$(TOOLS)/bin/uv pip compile constraints.txt --no-deps --universal --python-version 3.11 --generate-hashes \
		--no-emit-package torch --no-header --no-annotate --quiet --output-file requirements.lock

sbom: $(TOOLS_READY)  ## what is locked, as CycloneDX in ./dist, checked against its schema
	mkdir -p dist
	{ cat requirements.lock; echo "$(TORCH)"; } | $(TOOLS)/bin/cyclonedx-py requirements --pyproject pyproject.toml \
		--spec-version 1.6 --output-reproducible --validate --output-file dist/fieldtune.cdx.json -

audit: $(TOOLS_READY)  ## known vulnerabilities of what is pinned; needs a network, fails when a version cannot be looked up
	$(TOOLS)/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

clean:
	rm -rf demo .fieldtune build dist *.egg-info

# Two commands on a fresh machine do everything: `make demo` and `make test`. Every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: setup demo test check ui bench bench-gpu accept clean

setup: $(READY)  ## a virtual environment with everything, exact versions

$(READY): pyproject.toml constraints.txt Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all,postgres]" \
		build captum hypothesis mypy opacus pandas-stubs pycocotools pytest pytest-xdist rouge-score ruff sentence-transformers seqeval setuptools
	$(BIN)/python -c "import lightgbm" 2>/dev/null || \
		(apt-get update -qq && apt-get install -y -qq libgomp1) || echo "LightGBM needs libgomp1: install it"
	touch $(READY)

demo: setup  ## the three applications end to end on the sample company, with a report in ./demo
	$(BIN)/fieldtune demo --out demo

test: setup  ## all tests, in as many processes as cores, four at most
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 12

check: setup  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

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

clean:
	rm -rf demo .fieldtune build dist *.egg-info

# Two commands for a visitor: `make demo` and `make test`. Every target is safe under -j and quick when nothing changed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP     = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST_ARGS ?= -n 3 --dist loadfile --durations 25 --durations-min 5
PYTEST ?= $(BIN)/python -m pytest
# Each stamp stands for one install into $(VENV); the later one waits for the earlier, so that none runs beside another.
DEMO   := $(VENV)/.installed-demo
DEV    := $(VENV)/.installed-dev

API    := src/sealane/api
PROTOS := $(shell find protos -name '*.proto' 2>/dev/null | LC_ALL=C sort)

# Tests and demos start hundreds of processes: where no bytecode is written, each compiles 500 modules of src again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check check-style check-types check-imports check-protos bench protos install clean

help:  ## say what each target does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(DEMO)  ## a coordinator and four nodes fit a credit scorecard on real loans
	$(BIN)/sealane demo finance

# Three at a time, a file's tests together: much of the time is waiting for processes that are killed and come back.
test: $(DEV)  ## install what is needed and run all tests
	$(PYTEST) tests $(PYTEST_ARGS)

check: check-style check-types check-imports check-protos  ## linters, types, import contracts, protos

check-style: $(DEV)
	$(BIN)/ruff check --quiet .

check-types: $(DEV)
	$(BIN)/mypy

check-imports: $(DEV)
	$(BIN)/lint-imports

check-protos: $(DEV)
	$(BIN)/buf lint protos
	@made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && $(call generate,"$$made") && \
	diff -r -x __pycache__ -x __init__.py "$$made/sealane/api" $(API) || \
	{ echo 'hint: run `make protos` and commit the result' >&2; exit 1; }

bench: $(DEV)  ## run every benchmark
	@set -e; for script in benchmarks/bench_*.py; do echo "$$script"; $(BIN)/python $$script; done

protos: $(DEV)  ## make src/sealane/api again from protos/
	find $(API) -name '*_pb2*' -delete
	@$(call generate,src)
	@find $(API) -mindepth 1 -type d ! -name __pycache__ -exec touch {}/__init__.py \;

install: $(DEV)  ## everything a developer needs, in .venv

clean:  ## remove what the targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(DEMO): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[examples]'
	@touch $@

$(DEV): $(DEMO)
	$(PIP) --editable '.[dev,examples,flower,health,lora,neural,onnx,postgres,ckks,plot,trees]'
	@touch $@

# $(1) is the folder that stands for src. --pyi_out types the messages; the service stubs stay untyped.
generate = $(BIN)/python -m grpc_tools.protoc -I protos --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) $(PROTOS)

# The two commands of a newcomer are `make report` and `make test`; `make help` lists the others.
# Nothing has to be there beforehand but make and some Python: what is missing goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
PIP := $(PYTHON) -m pip --disable-pip-version-check install -qq
STUDY := data/border/study.toml
PDF := build/border.pdf

# Where it is set, each process of the tests would translate each module anew.
unexport PYTHONDONTWRITEBYTECODE

# Versions that the pinned packages have wheels for.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 15))

.DEFAULT_GOAL := help
.PHONY: help setup report test slow check docs notebooks bench pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.developer ## make .venv with all that developing needs

report: $(VENV)/.runtime ## draw the report of the simulated border
	@mkdir -p $(dir $(PDF))
	@$(BIN)/escalation report $(STUDY) -o $(PDF)

test: $(VENV)/.developer ## run the fast tests
	@$(PYTHON) -m pytest -q -n 2 --dist worksteal

slow: $(VENV)/.developer ## run the slow tests
	@$(PYTHON) -m pytest -q -n 2 --dist worksteal -m slow

check: $(VENV)/.developer ## lint, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(PYTHON) -m pytest -q tests/test_layers.py tests/test_architecture.py

docs: $(VENV)/.developer ## build the documentation in build/docs
	@$(BIN)/sphinx-build -W --keep-going -q -b html -d build/doctrees docs build/docs
	@echo "The documentation: $(CURDIR)/build/docs/index.html"

notebooks: $(VENV)/.developer ## execute the notebooks into build/notebooks, two at a time
	@mkdir -p build/notebooks
	@cd notebooks && ls *.ipynb | xargs -n 1 -P 2 ../$(PYTHON) -m nbconvert --log-level WARN \
		--to notebook --execute --ExecutePreprocessor.kernel_name=python3 \
		--output-dir ../build/notebooks
	@echo "The executed notebooks: $(CURDIR)/build/notebooks"

bench: $(VENV)/.developer ## time what a user waits for
	@for script in tests/benchmarks/bench_*.py; do $(PYTHON) $$script || exit 1; done

pins: $(VENV)/.developer ## pin requirements*.txt again from pyproject.toml
	@mkdir -p build
	@for file in requirements requirements-dev; do \
		more=""; [ $$file = requirements ] || \
			more="-c requirements.txt --group dev --group docs --group notebooks"; \
		head -n 1 $$file.txt > build/$$file.txt && \
		$(BIN)/uv pip compile pyproject.toml $$more --universal --python-version 3.12 \
			--no-emit-index-url --no-header --no-annotate --quiet >> build/$$file.txt && \
		mv build/$$file.txt $$file.txt || exit 1; \
	done

clean: ## remove .venv, build and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis docs/generated
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python is tried by running it: a version manager's stand-in may exist and still fail.
$(PYTHON):
	@managed=$${PYENV_ROOT:-$$HOME/.pyenv}/versions; \
	for python in python3.13 python3.12 python3.14 python3 python \
			$$managed/3.13*/bin/python $$managed/3.12*/bin/python $$managed/3.14*/bin/python; do \
		if $$python -c '$(FITS)' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)"; \
			$$python -m venv $(VENV); exit; \
		fi; \
	done; \
	rm -rf build/uv; \
	for python in python3 python /usr/bin/python3; do \
		if $$python -m venv build/uv >/dev/null 2>&1 && \
			build/uv/bin/python -m pip install --quiet uv >/dev/null 2>&1; then break; fi; \
	done; \
	for uv in uv build/uv/bin/uv; do \
		if $$uv venv --quiet --seed --python 3.13 $(VENV) 2>/dev/null; then \
			echo "Making $(VENV) with a Python 3.13 that uv found"; exit; \
		fi; \
	done; \
	echo "escalation needs Python 3.12, 3.13 or 3.14 with its venv module: install one, then run make again" >&2; \
	exit 1

$(VENV)/.runtime: requirements.txt pyproject.toml | $(PYTHON)
	@echo "Installing what the report needs (a minute or two)"
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.developer: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing what developing needs (a minute or two)"
	@$(PIP) -r requirements-dev.txt
	@touch $@

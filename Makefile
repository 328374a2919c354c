# Thin on purpose: every recipe is a command of the README. `make PYTHON=python3.12 test` picks another interpreter.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: serve test zip

serve: .venv/.site
	$(BIN)/mkdocs serve

test: .venv/.all
	HF_HUB_OFFLINE=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

zip: .venv/.site
	$(BIN)/mkdocs build
	@echo site/download/lora-demo-site.zip

.venv/.site: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/.all: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,dev]'
	@touch $@ .venv/.site

.venv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

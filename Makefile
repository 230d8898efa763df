# Two commands do everything on a fresh machine: make repro, make test.
PYTHON ?= python3
VENV ?= $(CURDIR)/.venv
PIP_FLAGS ?=
export PATH := $(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: help repro test check report why install lock preset benchmark

help:              ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

install: $(VENV)/.installed ## set up .venv from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --no-deps -e .
	@touch $@

.dvc/plots/offline.html: | install
	@python -m torchstone.report.offline

repro: install .dvc/plots/offline.html ## run what changed, then show the verdicts; PRESET=smoke or paper changes params.yaml
	@python -m torchstone.core.params check
	@if [ -n "$(PRESET)" ]; then python -m torchstone.core.params preset presets/$(PRESET).yaml; fi
	@python -m torchstone.core.progress
	@python -m torchstone.report.terminal

test: install ## all tests
	python -m pytest -n 2 --dist loadgroup tests

check: install ## formatting, lint, types, params, README in step with the verdicts
	ruff format --check .
	ruff check .
	mypy
	python -m torchstone.core.params check
	python -m torchstone.report.readme --check

report: install ## redo figures, page and paper from the trials, and the README's table
	dvc repro paper
	python -m torchstone.report.readme

why: install ## what changed since the last run of a stage: make why STAGE=ensemble@digits
	@python -m torchstone.core.why $(STAGE)

instep: install ## are dvc.lock, metrics and reports those of this code and these params?
	@python -m torchstone.core.why --all

lock: ## write requirements.lock anew from pyproject.toml
	pip-compile --quiet --extra dev --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --no-annotate --output-file requirements.lock pyproject.toml
	@sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock

benchmark: install ## speed against peers and against the machine's limit
	python -m benchmarks.engine
	python -m benchmarks.bagging
	python -m benchmarks.gan
	python -m benchmarks.lenet
	python -m benchmarks.routing

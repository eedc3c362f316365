# make demo       fit a measured series and a simulated system, print scores, write a figure
# make test       the whole test suite
# make lint       ruff, its formatter, codespell
# make doctest    the examples in docstrings and in the user guide
# make doc        doc/_build/html
# make bench      the scripts in benchmarks/, or BENCH=benchmarks/one_of_them.py
# make clean      remove the environment and everything built
#
# All of them work in the virtual environment .venv, made at first use from PYTHON and made again
# when it no longer runs, when PYTHON is another one, or when this folder has moved.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
PYTEST_ARGS ?=
BENCH ?= $(sort $(wildcard benchmarks/*.py))

RUN := $(VENV)/bin/python
MADE_FOR := $(CURDIR) $(PYTHON)
RECENT := import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: demo test lint doctest doc bench clean

demo: $(VENV)/with-plot,fast,examples
	$(RUN) examples/demo.py

# Tests run side by side: one BLAS thread for each.
test doctest: export OPENBLAS_NUM_THREADS = 1
test doctest: export OMP_NUM_THREADS = 1
test doctest: export MKL_NUM_THREADS = 1
test doctest: export VECLIB_MAXIMUM_THREADS = 1
test doctest: export MPLBACKEND = Agg

test: $(VENV)/with-test
	$(RUN) -m pytest -n $(WORKERS) $(PYTEST_ARGS)

lint: $(VENV)/with-test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m codespell_lib

doctest: $(VENV)/with-test
	$(RUN) -m pytest -n $(WORKERS) --doctest-modules sklearn_plrnn $(PYTEST_ARGS)
	$(RUN) -m pytest -n $(WORKERS) --doctest-glob='*.rst' --ignore=doc/_build --ignore=doc/auto_examples \
	    --ignore=doc/generated doc $(PYTEST_ARGS)

doc: $(VENV)/with-doc
	$(RUN) -m sphinx -W --keep-going -b html doc doc/_build/html

bench: $(VENV)/with-bench,fast
	@set -e; for script in $(BENCH); do echo "$$script"; $(RUN) "$$script"; done

clean:
	rm -rf $(VENV) build dist doc/_build doc/auto_examples doc/generated doc/sg_execution_times.rst
	rm -rf .pytest_cache .ruff_cache .hypothesis
	find sklearn_plrnn tests examples doc benchmarks -name __pycache__ -prune -exec rm -rf {} + \
	    2>/dev/null || true

# The environment with one set of extras; as old as the file that names them.
$(VENV)/with-%: pyproject.toml $(VENV)/made-for
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch '$@'

ifneq ($(shell $(RUN) -c "print(open('$(VENV)/made-for').read())" 2>/dev/null),$(MADE_FOR))
.PHONY: $(VENV)/made-for
endif

# An environment that runs and was not made here is used as it is.
$(VENV)/made-for:
	@if [ -e '$@' ] || ! $(RUN) -c '$(RECENT)' 2>/dev/null; then \
	    $(PYTHON) -c '$(RECENT)' || { echo 'Python 3.11 or newer is needed: make PYTHON=...'; exit 1; }; \
	    $(PYTHON) -m venv --clear '$(VENV)'; \
	fi
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(RUN) -m ensurepip
	@echo '$(MADE_FOR)' > '$@'

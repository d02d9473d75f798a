# make book, make test: all that is needed is Python 3.11 or newer, and make

PYTHON ?= python3
export PYTHON
PROFILE ?= laptop
SIZE ?= bundled
CLUSTER ?=
FRESH ?=
RINGS := averaging_amplification kolmogorov_smirnov differential_amplification
TOP_PAIRS := top_pair_generators top_pair_averaging top_pair_differential

# as even an old Python understands it
define CHECK_VERSION
import sys
if sys.version_info < (3, 11):
    sys.exit("""
This project needs Python 3.11 or newer, and %s is %d.%d.
Name a newer one, for example: make PYTHON=python3.12 book
""" % ((sys.executable,) + sys.version_info[:2]))
endef
export CHECK_VERSION

PROJECT_PYTHON := .venv/bin/python
# our packages are found here, even where the folder was moved after its installation, and no other code is
export PYTHONPATH := $(CURDIR)/workflow/python$(if $(PYTHONPATH),:$(PYTHONPATH))
export PYTHONSAFEPATH := 1

.PHONY: help environment book rings gpu test test-cluster lint reference keep events status costs bench coverage lock clean distclean

help:
	@echo "make book        build the book; PROFILE=smoke (seconds), laptop (default, minutes) or paper (the paper's sizes)"
	@echo "                 FRESH=1 trains everything anew that comes with the project; CLUSTER=slurm: see Run it at paper scale"
	@echo "make rings       the rings' Bayesian networks at the paper's size, 20 training sets: numbers to keep, not a book"
	@echo "make gpu         the pages on top pairs, of what was trained on a GPU, see data/parts"
	@echo "make test        build the smoke book and run all tests"
	@echo "make test-cluster    the smoke book on a Slurm of its own, and what survives when things die; root, Debian's slurm-wlm, munge, faketime"
	@echo "make lint        check style and types"
	@echo "make reference   accept the notebooks' present numbers as the right ones (tests/reference), with new networks where needed (data/trainings)"
	@echo "make keep        keep this run's numbers, costs and (laptop) networks, PROFILE=..., in data"
	@echo "make events      make LHC events; SIZE=bundled (those in data/, about an hour of one core) or paper (about two days)"
	@echo "make status      what of a book is done, running, stale or failed, and how long the rest takes; PROFILE=..."
	@echo "make costs       time the units of the paper profile's work on this machine, for the page Run it at paper scale"
	@echo "make bench       time the package against its alternatives"
	@echo "make coverage    how often the sentences of an averaging result are true, in pseudo-experiments"
	@echo "make lock        renew constraints.txt"
	@echo "make clean       remove what was built; trained networks stay"
	@echo "make distclean   remove those and .venv too"

environment:
	@command -v "$$PYTHON" >/dev/null || { echo "There is no $$PYTHON: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$$PYTHON" -c "$$CHECK_VERSION"
	@"$$PYTHON" -m gampl_book.bootstrap

# the networks of the smoke profile stay: its numbers are compared with references
book: environment
	@$(if $(FRESH),GAMPL_KEPT="$$PWD/data/trainings/smoke") $(PROJECT_PYTHON) -m gampl_book build --profile $(PROFILE) --cluster '$(CLUSTER)'

rings: environment
	@$(PROJECT_PYTHON) -m gampl_book build --profile rings --target $(RINGS:%=_build/rings/results/%.json)

gpu: environment
	@$(if $(wildcard data/parts/gpu/*.tar),$(PROJECT_PYTHON) -m gampl_book unpack --other-code data/parts/gpu/part-*.tar)
	@$(PROJECT_PYTHON) -m gampl_book build --profile gpu --target $(TOP_PAIRS:%=_build/gpu/results/%.json)

test: environment
	@$(PROJECT_PYTHON) -m gampl_book build --profile smoke
	@OMP_NUM_THREADS=1 $(PROJECT_PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-cluster: environment
	@$(PROJECT_PYTHON) -m gampl_book build --profile smoke
	@OMP_NUM_THREADS=1 $(PROJECT_PYTHON) -m pytest -m cluster -n 3 --dist worksteal tests/cluster

lint: environment
	@$(PROJECT_PYTHON) -m ruff check .
	@$(PROJECT_PYTHON) -m ruff format --check .
	@$(PROJECT_PYTHON) -m mypy

reference: environment
	@OMP_NUM_THREADS=1 $(PROJECT_PYTHON) -m gampl_book keep-trainings
	@$(PROJECT_PYTHON) -m gampl_book build --profile smoke --target notebooks
	@$(PROJECT_PYTHON) -m gampl_book reference

# a reader's book takes minutes, because the networks of the laptop profile come with the project
keep: environment
	@$(PROJECT_PYTHON) -m gampl_book keep --profile $(PROFILE)
	@$(if $(filter laptop,$(PROFILE)),$(PROJECT_PYTHON) -m gampl_book keep-networks --profile laptop)

costs: environment
	@$(PROJECT_PYTHON) -m gampl_book costs

events: environment
	@$(PROJECT_PYTHON) -m gampl_book build --target events --size $(SIZE) --cluster '$(CLUSTER)'

status: environment
	@$(PROJECT_PYTHON) -m gampl_book status --profile $(PROFILE)

bench: environment
	@$(PROJECT_PYTHON) -m pytest benchmarks -o addopts=-ra --benchmark-only -s

coverage: environment
	@OMP_NUM_THREADS=1 $(PROJECT_PYTHON) benchmarks/coverage.py

lock:
	@gampl_book/lock.sh

clean:
	rm -rf _build .snakemake

distclean: clean
	rm -rf .venv .store

# make demo | test | test-full | bench | bench-gpu | lint | docs | clean. Everything is kept in .venv and under out/.

SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
COLCON := $(VENV)/bin/colcon --log-base out/colcon/log
BASES := --build-base out/colcon/build --install-base out/colcon/install

# A sourced ROS installation must not mix with the wheels of .venv.
unexport PYTHONPATH AMENT_PREFIX_PATH COLCON_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH ROS_DISTRO RMW_IMPLEMENTATION
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ROS_AUTOMATIC_DISCOVERY_RANGE := LOCALHOST
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-full bench bench-gpu lint docs clean

DATAROOT ?=
SCENE ?=
# For demo and bench: a weights file, or street, random or tiny.
WEIGHTS ?=
RATE ?= 1
SCALE ?= 1
demo: $(VENV)/.installed
	$(PYTHON) -m lircdepth_ros.cli demo -o out/demo --rate $(RATE) --inference-scale $(SCALE) \
		$(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(DATAROOT),--dataroot $(DATAROOT)) $(if $(SCENE),--scene $(SCENE))

test: $(VENV)/.installed
	$(call run_tests,not full)

test-full: $(VENV)/.installed
	$(call run_tests,full or not full)

# Test files run side by side in so many processes, each with a ROS domain of its own.
JOBS ?= 2
define run_tests
	$(COLCON) build --base-paths . $(BASES)
	$(COLCON) test --base-paths . $(BASES) --test-result-base out/colcon/build --return-code-on-test-failure \
		--event-handlers console_direct+ --pytest-args -m "$(1)" -n $(JOBS) --dist loadfile
	$(COLCON) test-result --test-result-base out/colcon/build --verbose
endef

# Packed frames to measure depth errors on; without them, test frames of the street are rendered.
FRAMES ?=
bench: $(VENV)/.installed
	$(PYTHON) benchmarks/bench_all.py $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(FRAMES),--frames $(FRAMES))

bench-gpu: $(VENV)/.installed
	$(PYTHON) benchmarks/bench_gpu.py $(if $(WEIGHTS),--weights $(WEIGHTS))

lint: $(VENV)/.installed
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports --no-logo

# The site; a warning is an error. NO_MKDOCS_2_WARNING: the theme would announce its successor at each run.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --site-dir out/docs

clean:
	rm -rf out $(VENV)

$(VENV)/.installed: requirements.txt
	@set -e; \
	fits='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'; \
	for python in $(PYTHON3) python3 python3.12 python3.11 python3.10; do \
		if $$python -c "$$fits" 2>/dev/null; then found=$$python; break; fi; \
		if $$python --version >/dev/null 2>&1; then echo "$$python is $$($$python --version), not 3.10 to 3.12"; fi; \
	done; \
	if [ -z "$$found" ]; then echo "make: no Python 3.10, 3.11 or 3.12 found; install one of them" >&2; exit 2; fi; \
	echo "setting up $(VENV) with $$found ($$($$found --version))"; \
	$$found -m venv --clear $(VENV); \
	$(PYTHON) -m pip install --quiet -r requirements.txt
	@touch $@

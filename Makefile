# make demo   create .venv, install, climb the digits ladder
# make test   create .venv, install the test extra, run the tests
# make check  format, lint, types, layers, doctests
# make sanitize  the tests of the kernels with AddressSanitizer and UBSan; needs g++

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test check sanitize clean

demo: $(VENV)/.installed
	$(BIN)/rungwise climb digits

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_layers.py
	$(BIN)/python -m pytest --quiet --doctest-modules --ignore=src/rungwise/bench/peers src

SANITIZED := tests/native/test_kernels.py tests/native/test_boundary.py

sanitize: $(VENV)/.installed-test
	@g++ --version > /dev/null
	CXX=g++ RUNGWISE_CXXFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)" \
	$(BIN)/python -m pytest $(SANITIZED)

# torch comes first and alone: the exact version selects the CPU build.
$(VENV)/.installed: $(SOURCES)
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[test]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-test
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

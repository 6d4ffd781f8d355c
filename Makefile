# Two commands on a fresh Debian with python3 (3.11 or newer), python3-venv, make and git:
#
#   make run     the demo: everything embedded; prints where to go and as whom; Ctrl-C stops it
#   make test    the whole test suite, browser included
#
# And: make check (the rules of the house), make soak (the long rounds of the same tests), make fuzz, make lock (see there), make bench (the
# gateway beside nginx, Envoy and Caddy: half an hour, into docs/performance.md; QUICK=1: five minutes, printed).

VENV := .venv
BIN := $(VENV)/bin
# Every branch of the pure rooms is tested.
PURE := $(wildcard gateway/decision gateway/message gateway/credentials)

# An environment whose interpreter is gone (a system upgrade, a broken attempt) is made anew, whatever its stamp says.
STALE := $(shell $(BIN)/python -c pass 2>/dev/null || echo stale)

# What is compiled once is kept: compiling the gateway anew is a fifth of what a start of it costs, and the tests start it often.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: run test soak fuzz bench check lock stale compiled test-compiled

run: $(VENV)/.installed-run
	@scripts/provider
	@exec $(BIN)/python -m gateway demo

test: $(VENV)/.installed-dev
	@scripts/peers
	@echo "test: running the test suite"
	@# Four processes on two cores: about half of the tests wait, for a browser, a gateway or a moment.
	@scratch=$$(scripts/scratch) && trap 'rm -rf "$$scratch"' EXIT INT TERM && TMPDIR=$$scratch $(BIN)/python -m pytest --basetemp $$scratch/t \
		--numprocesses 4 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder --durations 15 $(PURE:%=--cov=%) --cov-branch --cov-fail-under=100

soak: $(VENV)/.installed-dev
	@scripts/peers
	@echo "soak: the long rounds; this takes a while"
	@$(BIN)/python -m pytest --soak --timeout=3600 --override-ini faulthandler_timeout=7200

# The hot path compiled as well (setup.py), with a profile: Python files and extensions side by side in build/compiled. Needs gcc
# and the headers of Python, OpenSSL and libdeflate.
COMPILED := build/compiled
HOT := $(wildcard gateway/ledger/*.c gateway/*.py gateway/decision/*.py gateway/edge/*.py gateway/ledger/*.py gateway/message/*.py gateway/proxy/*.py gateway/records/*.py)

compiled: $(COMPILED)/.built

$(COMPILED)/.built: setup.py scripts/compiled bench/training.py $(HOT) $(VENV)/.installed-dev
	@scripts/compiled $(COMPILED)
	@touch $@

# The tests of what was compiled, on what was compiled.
test-compiled: $(COMPILED)/.built
	@ln -sfn ../../tests $(COMPILED)/tests
	@ln -sfn ../../fuzz $(COMPILED)/fuzz
	@ln -sfn ../../docs $(COMPILED)/docs
	@cd $(COMPILED) && ../../$(BIN)/python -m pytest --rootdir . --override-ini pythonpath=. --override-ini cache_dir=/tmp \
		--numprocesses 2 --max-worker-restart 0 --dist loadfile tests/decision tests/edge tests/ledger tests/message tests/proxy tests/records

# docs/fuzzing.md. In an environment of its own, which sees the packages of ours; `make fuzz SECONDS=600` for ten minutes a reader.
fuzz: $(VENV)-fuzz/.installed
	@$(VENV)-fuzz/bin/python -m fuzz --seconds $(or $(SECONDS),60)

SITE := -c "import sysconfig; print(sysconfig.get_path('purelib'))"
$(VENV)-fuzz/.installed: $(VENV)/.installed-dev
	@$(BIN)/python -m venv $(VENV)-fuzz
	@$(VENV)-fuzz/bin/pip install --quiet atheris==3.0.0
	@$(BIN)/python $(SITE) > "$$($(VENV)-fuzz/bin/python $(SITE))/ours.pth"
	@touch $@

bench: $(COMPILED)/.built
	@$(BIN)/python -m bench $(if $(QUICK),--quick)

check: $(VENV)/.installed-dev
	@scripts/check

$(VENV)/.installed-run: requirements.lock pyproject.toml $(STALE)
	@scripts/environment requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml $(STALE)
	@scripts/environment requirements-dev.lock
	@touch $@ $(VENV)/.installed-run

# Pins and hashes of everything that pyproject.toml asks for, for CPython 3.11 and newer on x86-64 and 64-bit ARM Linux. Versions
# that still fit are kept; to renew all of them, remove both lock files first. Two files, so that a machine that serves gets
# nothing that only tests need; the second is held to the versions of the first.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --only-binary :all: --generate-hashes \
	--no-strip-extras --no-emit-index-url --custom-compile-command "make lock    (from pyproject.toml, by uv pip compile; see the Makefile)"

lock:
	@test -x $(BIN)/uv || scripts/environment requirements-dev.lock
	@echo "lock: resolving what the gateway needs"
	@$(LOCK) --group build --output-file requirements.lock
	@echo "lock: resolving what tests and checks need"
	@$(LOCK) --group build --group test --group check --constraint requirements.lock --output-file requirements-dev.lock

# One command each. Whatever is missing is installed first (tools/setup), so the first run takes minutes, the next none.
.PHONY: help setup demo run test check chaos docker-try bench growth lock
PYTHON ?= python3
SHORT_FAULTS = KILL,CUT,LOCK,PHONE,ASTERISK,STOP,FULL

help:            ## these lines
	@sed -n 's/^\([a-z-]*\): .*## /  make \1	/p' $(MAKEFILE_LIST)

setup:           ## install what is missing: Debian packages, .venv, Asterisk, prompts
	@$(PYTHON) tools/setup
	@echo "Ready: make demo, make run, make test, make check"

demo:            ## one caller dials 112; the story, what exists afterwards, nothing left running (DAY=1: a hundred callers)
	@$(PYTHON) tools/setup
	@.venv/bin/kentongan demo $(if $(KEEP),--keep) $(if $(DAY),--day)

run:             ## the service, to stay: trunk on 127.0.0.1:5060/udp, doors on 127.0.0.1:8112, data under var/
	@$(PYTHON) tools/setup
	@.venv/bin/kentongan run

test:            ## every test, real Asterisk included
	@$(PYTHON) tools/setup
	.venv/bin/python -m pytest --basetemp=var/pytest

check:           ## linters, types, layers, purity: seconds
	@$(PYTHON) tools/setup venv
	.venv/bin/ruff check --output-format concise .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python -m pytest -q tests/house

chaos:           ## 300 calls while everything breaks; the books must agree (a quarter of an hour, SHORT=1 two minutes; SEED=… repeats; root)
	@$(PYTHON) tools/setup
	.venv/bin/python -m tests.chaos.run $(if $(SHORT),--calls 40 --faults $(SHORT_FAULTS))

docker-try:      ## containers built, called by SIP phones, restarted, taken down (needs a Docker engine)
	@$(PYTHON) tools/setup
	.venv/bin/python docker/try.py

bench:           ## the first figures: 300 real calls in 30 s, measured; a minute and a half (docs/performance.md)
	@$(PYTHON) tools/setup
	.venv/bin/python -m bench.first_figures

growth:          ## a hundred thousand calls and tickets on both databases: lists and search, measured (docs/performance.md)
	@$(PYTHON) tools/setup
	.venv/bin/python -m bench.growth

lock:            ## pin the dependencies anew, after a change in pyproject.toml or requirements/dev.in (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" \
	  pyproject.toml -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" \
	  pyproject.toml requirements/dev.in -c requirements/run.txt -o requirements/dev.txt

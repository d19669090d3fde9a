# make demo    start with a project to try
# make up      start
# make test    install what tests need, check, run every test
# make check   linters, types, import rules, migrations, production settings

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo up test check chromium
help:
	@sed -n 's/^# make/make/p' Makefile

demo: .venv/.installed
	@$(BIN)/python manage.py demo $(ARGS)

up: .venv/.installed
	@$(BIN)/python manage.py up $(ARGS)

test: check chromium
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# of a throw-away production set-up; nothing is contacted
PRODUCTION_ENV = PRODUCTION=yes DEBUG=no ALLOWED_HOSTS=marginalia.example.org BEHIND_TLS_PROXY=yes \
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
	DATABASE_URL=postgresql://nobody@127.0.0.1:1/none BROKER_URL=redis://127.0.0.1:1/0

check: .venv/.installed-tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PRODUCTION_ENV) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PRODUCTION_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING

# Debian's Chromium where we may install it, else the one that Playwright downloads
chromium: .venv/.installed-tests
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium chromium-driver >/dev/null; } || \
	$(BIN)/playwright install chromium

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Marginalia needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.venv/.installed: requirements.txt | .venv/bin/python
	@echo "installing what Marginalia runs on (minutes the first time: torch is large)"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.installed-tests: tests/requirements.txt .venv/.installed
	@echo "installing what the tests need"
	@$(PIP) -r tests/requirements.txt
	@touch $@

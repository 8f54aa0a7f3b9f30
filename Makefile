# Works with GNU make 3.81 (macOS) and later.
PYTHON ?= python3
ARGS ?=
ONLY ?=
SEED ?=
REQUESTS ?=
FRESH ?=
WHAT ?=
BIN := .venv/bin
READY := .venv/.ready
# Isolated: PYTHONPATH and its like of the shell are for other programs.
STACK := $(BIN)/python -I -m todo_stack
# Node is in .venv where the machine has none.
WITH_NODE := PATH="$$PATH:$(CURDIR)/$(BIN)"
BROWSER := $(BIN)/python -m tests.support.chromium
WEB_TOOLS := .lint/node_modules/.ready
# It would take the pyproject.toml nearest to the templates.
DJLINT := --configuration pyproject.toml
TOGETHER := -n 2 --dist loadfile --ignore tests/containers -m "not whole"
TEMPLATES := $(wildcard shared/*/*/templates/*.html tests/*/*/*.j2 tests/*/*/templates/*.html)
STYLES := $(wildcard shared/*/*/static/*.css tests/*/*/*.css tests/*/*/static/*.css)
SCRIPTS := $(wildcard .lint/*.mjs shared/*/*/static/*.js tests/*/*/*.js tests/*/*/static/*.js tests/*/*/*.mjs)

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## install everything that is pinned into this folder (other commands do it when needed)

# These files contain every pin: when one of them changes, the installation is repeated.
$(READY): constraints.txt tests/requirements.txt shared/todo-shared/pyproject.toml shared/todo-stack/pyproject.toml shared/outside-world/pyproject.toml \
		flask-todo/pyproject.toml flask-todo-restate/pyproject.toml flask-todo-restate/flask-restate/pyproject.toml \
		flask-todo-restate/package-lock.json shared/bootstrap.py
	@$(PYTHON) shared/bootstrap.py

# exec, so that signals reach the program itself, not a shell around it.
ifndef DOCKER
up-basic: $(READY) ## run flask-todo on http://127.0.0.1:5040 until Ctrl-C; DOCKER=1 runs it in containers
	@exec $(STACK) up plain

up-restate: $(READY) ## run flask-todo-restate on http://127.0.0.1:5050 until Ctrl-C; DOCKER=1 runs it in containers; NODES=3 SERVICES=2 WEBS=2 a cluster
	@exec $(STACK) up restate
else
up-basic: docker
	@cd flask-todo && exec docker compose up --build

up-restate: docker
	$(if $(filter-out 1,$(NODES) $(SERVICES) $(WEBS)),$(error A cluster in containers has files of its own: see "In containers" in flask-todo-restate/CLUSTER.md (compose.cluster.yaml)))
	@cd flask-todo-restate && RESTATE_REGISTER_FORCE=true exec docker compose up --build
endif

deploy: docker ## switch the containers of up-restate to the current code, as VERSION=2 or another new name
	@exec flask-todo-restate/deploy.sh $(VERSION)

docker:
	@docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 || \
		{ echo "This needs Docker with its compose plugin, and Docker does not answer. Without Docker: make up-basic, make up-restate" >&2; exit 1; }

up: $(READY) ## run both side by side until Ctrl-C
	@exec $(STACK) up both

kill: $(READY) ## while up runs: kill a server (SIGKILL), which then restarts; WHAT=db, restate, restate_app, ...
	@exec $(STACK) kill '$(WHAT)'

stop: $(READY) ## while up runs: stop a server until make start; WHAT as for kill
	@exec $(STACK) stop '$(WHAT)'

pause: $(READY) ## while up runs: freeze a server (SIGSTOP) until make start; WHAT as for kill
	@exec $(STACK) pause '$(WHAT)'

start: $(READY) ## while up runs: start a server that was stopped or frozen; WHAT as for kill
	@exec $(STACK) start '$(WHAT)'

reset: $(READY) ## remove all data, after asking
	@exec $(STACK) reset

test: $(READY) $(WEB_TOOLS) ## run the tests against real servers; ARGS='-k delete' or ARGS=tests/containers selects some
	$(if $(ARGS),,@$(BROWSER) || true)
	$(BIN)/pytest $(if $(ARGS),$(ARGS),$(TOGETHER))

browser: $(READY) ## find a Chromium for the browser tests, or install one; make test does that, too
	@$(BROWSER)

pictures: $(READY) $(WEB_TOOLS) ## take the pictures of both twins, the lab and the trace in .github/images anew
	$(BIN)/pytest tests/browser/test_pictures.py tests/faultlab/live/test_stories.py tests/trace -k picture --pictures

chaos: $(READY) ## break the twins and the control at random for DURATION seconds (60), then count the rows; SEED repeats a run, NODES=3 breaks a cluster
	@exec $(BIN)/python -m tests.faultlab.chaos --duration $(or $(DURATION),60) $(if $(SEED),--seed $(SEED)) $(ARGS)

fuzz: $(READY) ## send REQUESTS (100000) at random to each twin, good and bad, then break it between; SEED repeats a run
	@exec $(BIN)/python -m tests.fuzz --requests $(or $(REQUESTS),100000) $(if $(SEED),--seed $(SEED)) $(ARGS)

lab: $(READY) ## break both twins live, side by side, on http://127.0.0.1:5070, and watch the count
	@exec $(BIN)/python -m tests.faultlab.live $(ARGS)

trace: $(READY) ## follow one add that is killed after COMMIT in each twin, by its spans, and draw them as a page
	@exec $(BIN)/python -m tests.trace $(ARGS)

compare: $(READY) ## break the twins and the control at every seam and draw the results; ONLY='plain/add/*' runs a part
	@exec $(BIN)/python -m tests.faultlab.compare --only '$(ONLY)' $(if $(SEED),--seed $(SEED)) $(if $(FRESH),--fresh)

bench: $(READY) ## measure what durability costs, in under twelve minutes; ONLY=load, waterfall, recovery or growth runs a part
	@exec $(BIN)/python -m tests.costs --only '$(ONLY)'

bench-peers: $(READY) ## measure the alternatives: a ledger alone, DBOS, Celery, Temporal and an outbox (installs them)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r tests/costs/peers/requirements.txt
	@exec $(BIN)/python -m tests.costs.peers $(ARGS)

# cog writes the figures in these files, between its markers, from the results in the repository.
GENERATED := README.md flask-todo-restate/ARTICLE.md flask-todo-restate/DECIDE.md tests/faultlab/README.md tests/costs/README.md

readme: $(READY) ## put the results of the last whole make compare, bench and bench-peers into the READMEs
	$(BIN)/python -m tests.faultlab.published
	$(BIN)/python -m tests.costs --keep
	$(BIN)/python -m cogapp -r $(GENERATED)

# What an image installs that is not ours, for every platform and Python that we support: what the folders that its
# Dockerfile names need, and what builds them.
PINS := flask-todo/requirements.txt flask-todo-restate/requirements.txt shared/outside-world/requirements.txt
OURS = $(shell grep -o ' \./[^ ]*' $(@D)/Dockerfile)

pins: $(PINS) ## write the hashes of what the images install, after a change of constraints.txt or a pyproject.toml

# --upgrade: no hash of the list before is believed. --no-build: no code of others runs.
$(PINS): uv
	@printf '%s\n' setuptools $(OURS) | $(BIN)/uv pip compile - --quiet --no-config --upgrade --no-build \
		--constraints constraints.txt --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make pins' $(foreach folder,$(OURS),--no-emit-package $(notdir $(folder))) --output-file $@

uv: $(READY)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt uv

# For lint and format: Biome and malva for CSS and JavaScript. For the browser tests: axe, and a validator of HTML.
$(WEB_TOOLS): $(READY) .lint/package-lock.json
	@cd .lint && $(WITH_NODE) npm ci --silent --ignore-scripts --no-audit --no-fund && touch node_modules/.ready

lint: $(WEB_TOOLS) ## check style and format, and that the READMEs contain the figures of the kept results
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/djlint $(DJLINT) --lint --quiet $(TEMPLATES)
	$(BIN)/djlint $(DJLINT) --check $(TEMPLATES)
	$(WITH_NODE) .lint/node_modules/.bin/biome check $(STYLES) $(SCRIPTS)
	$(WITH_NODE) node .lint/format_css.mjs $(STYLES)
	$(BIN)/python -m cogapp --check --diff $(GENERATED)

format: $(WEB_TOOLS) ## format Python, templates, CSS and JavaScript
	$(BIN)/ruff format
	$(BIN)/djlint $(DJLINT) --reformat --quiet $(TEMPLATES) || $(BIN)/djlint $(DJLINT) --check $(TEMPLATES)
	$(WITH_NODE) .lint/node_modules/.bin/biome check --write $(STYLES) $(SCRIPTS)
	$(WITH_NODE) node .lint/format_css.mjs --write $(STYLES)

types: $(READY) ## check types
	$(BIN)/mypy

clean: ## remove what setup installed and all caches, but no data
	rm -rf .venv .lint/node_modules flask-todo-restate/node_modules .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find shared flask-todo flask-todo-restate tests -name __pycache__ -prune -exec rm -rf {} +
	find shared flask-todo flask-todo-restate -name '*.egg-info' -prune -exec rm -rf {} +

.PHONY: help setup up-basic up-restate deploy docker up kill stop pause start reset test browser pictures lab trace compare chaos fuzz bench bench-peers readme pins uv lint format types clean

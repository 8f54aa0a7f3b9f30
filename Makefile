# For GNU make 3.81 (macOS) and later.
PYTHON ?= python3
ARGS ?=
ONLY ?=
SEED ?=
FRESH ?=
WHAT ?=
BIN := .venv/bin
READY := .venv/.ready

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## install everything that is pinned into this folder (the others do it when it is needed)

# Every pin is in one of these: when one changes, the installation is repeated.
$(READY): constraints.txt tests/requirements.txt shared/todo-shared/pyproject.toml shared/todo-stack/pyproject.toml flask-todo/pyproject.toml \
		flask-todo-restate/pyproject.toml flask-todo-restate/flask-restate/pyproject.toml \
		flask-todo-restate/package-lock.json shared/bootstrap.py
	@$(PYTHON) shared/bootstrap.py

# exec, so that signals reach the program itself and not a shell before it.
ifndef DOCKER
up-basic: $(READY) ## run flask-todo on http://127.0.0.1:5040 until Ctrl-C; with DOCKER=1 in containers
	@exec $(BIN)/python -m todo_stack up plain

up-restate: $(READY) ## run flask-todo-restate on http://127.0.0.1:5050 until Ctrl-C; with DOCKER=1 in containers
	@exec $(BIN)/python -m todo_stack up restate
else
up-basic: docker
	@cd flask-todo && exec docker compose up --build

up-restate: docker
	@cd flask-todo-restate && RESTATE_REGISTER_FORCE=true exec docker compose up --build
endif

deploy: docker ## take the code of now into use in the containers of up-restate, as VERSION=2 or another new name
	@exec flask-todo-restate/deploy.sh $(VERSION)

docker:
	@docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 || \
		{ echo "Docker is needed for this, with its plugin compose, and does not answer. Without it: make up-basic, make up-restate" >&2; exit 1; }

up: $(READY) ## run both side by side until Ctrl-C
	@exec $(BIN)/python -m todo_stack up both

kill: $(READY) ## with up running: kill a server (SIGKILL), which is started again; WHAT=db, restate, restate_app, ...
	@exec $(BIN)/python -m todo_stack kill '$(WHAT)'

stop: $(READY) ## with up running: stop a server, which stays so until make start; WHAT as for kill
	@exec $(BIN)/python -m todo_stack stop '$(WHAT)'

start: $(READY) ## with up running: start a server that was stopped; WHAT as for kill
	@exec $(BIN)/python -m todo_stack start '$(WHAT)'

reset: $(READY) ## remove all data, after asking
	@exec $(BIN)/python -m todo_stack reset

test: $(READY) ## run the tests against real servers; ARGS='-k delete' or ARGS=tests/containers selects some
	$(BIN)/pytest $(if $(ARGS),$(ARGS),--ignore tests/containers)

chaos: $(READY) ## break both twins at random for DURATION seconds (60), then count; SEED repeats a run
	@exec $(BIN)/python -m tests.faultlab.chaos --duration $(or $(DURATION),60) $(if $(SEED),--seed $(SEED)) $(ARGS)

compare: $(READY) ## break both twins at every seam and draw the picture; ONLY='plain/add/*' for a part
	@exec $(BIN)/python -m tests.faultlab.compare --only '$(ONLY)' $(if $(SEED),--seed $(SEED)) $(if $(FRESH),--fresh)

bench: $(READY) ## measure what durability costs, in under ten minutes; ONLY=load, waterfall, recovery or growth for a part
	@exec $(BIN)/python -m tests.costs --only '$(ONLY)'

bench-peers: $(READY) ## measure what a user would pick instead: DBOS, Celery, Temporal, an outbox (installs them)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r tests/costs/peers/requirements.txt
	@exec $(BIN)/python -m tests.costs.peers $(ARGS)

# Their figures stand between markers of cog, which writes them from the results that are kept in the repository.
GENERATED := README.md tests/faultlab/README.md tests/costs/README.md

readme: $(READY) ## put the results of the last whole make compare, bench and bench-peers into the READMEs
	$(BIN)/python -m tests.faultlab.published
	$(BIN)/python -m tests.costs --keep
	$(BIN)/python -m cogapp -r $(GENERATED)

lint: $(READY) ## check style and format, and that the READMEs have the figures that are kept
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m cogapp --check --diff $(GENERATED)

types: $(READY) ## check types
	$(BIN)/mypy

clean: ## remove what setup has installed and all caches, but no data
	rm -rf .venv flask-todo-restate/node_modules .pytest_cache .mypy_cache .ruff_cache
	find shared flask-todo flask-todo-restate tests -name __pycache__ -prune -exec rm -rf {} +
	find shared flask-todo flask-todo-restate -name '*.egg-info' -prune -exec rm -rf {} +


.PHONY: help setup up-basic up-restate deploy docker up kill stop start reset test compare chaos bench bench-peers readme lint types clean

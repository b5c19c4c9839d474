# The project's commands. `make run` and `make test` need only Python 3.11 or later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM := .venv-sam/bin
CHECKOV := .venv-checkov/bin
# The functions' Python version and processor, which the layers are built for. Defaults as in template.yaml.
RUNTIME ?= python3.13
ARCHITECTURE ?= arm64
# What to deploy: STAGE=prod, and template parameters to set, such as PARAMETERS='AlarmEmail=ops@example.com'
STAGE ?= dev
PARAMETERS ?=
# Set to deploy what is not committed or was not tested.
UNTESTED ?=
export RUNTIME ARCHITECTURE UNTESTED
export SAM_CLI_TELEMETRY := 0
# The region is that of the AWS profile, or of the environment: AWS_REGION first, as for AWS's own command line. SAM CLI and botocore
# know only AWS_DEFAULT_REGION.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

.DEFAULT_GOAL := help
.PHONY: help run demo test test-long test-runtime reliability integration test-sdks wheels test-sdk-python test-sdk-typescript test-ai-sdk test-browser test-console screenshots test-sdk-legacy test-integrations test-openapi lint bench bench-counts bench-behaviour bench-traces bench-mcp bench-hook bench-scaling bench-upgrades bench-cost strength plots golden freeze openapi scopes validate mutants lock build e2e deploy clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# The packages that are deployed have the versions that are locked, so that the tests run on them.
LOCKS := layers/dependencies/requirements.txt functions/console/requirements.txt

$(VENV)/.ready: pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or later is needed: install it, or select one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "python cannot create a virtual environment: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@echo "installing into $(VENV) ..."
	@sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' $(LOCKS) > $(VENV)/locked.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -c $(VENV)/locked.txt -e '.[dev]' \
	  || { echo "installation failed: check the network, then run: rm -rf $(VENV), and make again" >&2; exit 1; }
	@touch $@

.venv-sam/.ready: pyproject.toml
	@$(PYTHON) -m venv .venv-sam
	@echo "installing SAM CLI into .venv-sam ..."
	@$(SAM)/pip install --quiet --disable-pip-version-check 'aws-sam-cli>=1.140,<2' 'cfn-lint>=1.30,<2' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-sam, and make again" >&2; exit 1; }
	@touch $@

.venv-checkov/.ready:
	@$(PYTHON) -m venv .venv-checkov
	@echo "installing checkov into .venv-checkov ..."
	@$(CHECKOV)/pip install --quiet --disable-pip-version-check 'checkov>=3.2,<4' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-checkov, and make again" >&2; exit 1; }
	@touch $@

run: .venv/.ready ## serve http://localhost:8000/v1 (PORT, DYNAMODB=embedded|local|http://..., IDENTITY_OS_DOCS_ENABLED=true, LOG=1)
	@exec $(BIN)/python -m local

demo: .venv/.ready ## play a short scenario against the running API
	@$(BIN)/python -m local.demo

test: $(VENV)/.ready ## the tests that need only Python, but for the long runs
	@.ci/tested $(BIN)/python -m pytest -n auto --dist loadfile -m "not long"

test-long: $(VENV)/.ready ## the long runs: property tests, fuzzing, faults, DynamoDB Local
	@$(BIN)/python -m pytest -n auto --dist worksteal -m long

test-runtime: .venv/.ready ## run the tests on the functions' Python version
	@.ci/test-runtime $(RUNTIME)

.venv-schemathesis/.ready:
	@$(PYTHON) -m venv .venv-schemathesis
	@echo "installing schemathesis into .venv-schemathesis ..."
	@.venv-schemathesis/bin/pip install --quiet --disable-pip-version-check 'schemathesis>=4.32,<5' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-schemathesis, and make again" >&2; exit 1; }
	@touch $@

.venv-console/.ready:
	@$(PYTHON) -m venv .venv-console
	@echo "installing the browser tests into .venv-console ..."
	@.venv-console/bin/pip install --quiet --disable-pip-version-check 'playwright>=1.50,<2' 'axe-playwright-python>=0.1.4,<1' \
	  'pytest>=8.3,<10' 'httpx>=0.27,<1' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-console, and make again" >&2; exit 1; }
	@touch $@

# The browser's program: CHROMIUM, or one that is installed. CI installs Debian's.
test-console: .venv/.ready .venv-console/.ready ## the console in Chromium: its story, attacks, accessibility, sizes
	@.ci/chromium .venv-console/bin/python -m pytest -p no:cacheprovider --confcutdir tests/browser tests/browser

screenshots: .venv/.ready .venv-console/.ready ## draw every page of the console in both schemes, for docs/console.md
	@.ci/chromium .venv-console/bin/python -m tests.browser.screenshots

reliability: .venv/.ready .venv-schemathesis/.ready ## faults, races, bad input, damaged audit trails: the guarantees of docs/reliability.md, in one table
	@$(BIN)/python -m tests.reliability

integration: .venv/.ready ## races, faults and a soak test on DynamoDB Local (needs Java; SOAK=seconds)
	@$(BIN)/python -m tests.integration

.venv-sdk/.ready:
	@$(PYTHON) -m venv .venv-sdk
	@.venv-sdk/bin/pip install --quiet --disable-pip-version-check 'build>=1.2,<2' 'pytest>=8.3,<10' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-sdk, and make again" >&2; exit 1; }
	@touch $@

test-sdks: test-sdk-python test-sdk-typescript test-sdk-legacy ## test the built and installed SDKs against a running server and a faulty one

# The wheels of the SDK and of the engine, as they would be published.
dist/python/.built: .venv-sdk/.ready $(shell find sdks/python/identity_os_sdk engine/identity_engine engine/identity_charts -name '*.py' -o -name '*.json' -o -name '*.html' -o -name '*.css') sdks/python/pyproject.toml engine/pyproject.toml
	@rm -rf dist/python engine/build sdks/python/build
	@.venv-sdk/bin/python -m build --outdir dist/python engine >/dev/null
	@.venv-sdk/bin/python -m build --outdir dist/python sdks/python >/dev/null
	@touch $@

wheels: dist/python/.built ## build the wheels of the Python SDK and of the engine into dist/python

test-sdk-python: .venv/.ready dist/python/.built
	@.venv-sdk/bin/pip install --quiet --disable-pip-version-check --force-reinstall --find-links dist/python 'hypothesis>=6.100,<7' \
	  'standardwebhooks>=1.1,<2' \
	  "$$(ls dist/python/identity_os_sdk-*.whl)[replay]"
	@.venv-sdk/bin/python -m pytest -p no:cacheprovider sdks/python/tests --ignore sdks/python/tests/integrations
	@.venv-sdk/bin/python -m pytest -p no:cacheprovider sdks/python/tests/integrations/test_core.py

# Adapters, modules and packages, each in an environment of its own, on the newest release of its framework; and frameworks that
# somebody else instruments, observed by their spans.
ADAPTERS := sdks/python/identity_os_sdk/integrations
INTEGRATIONS := $(sort $(patsubst $(ADAPTERS)/%.py,%,$(wildcard $(ADAPTERS)/[a-z]*.py)) \
  $(patsubst $(ADAPTERS)/%/__init__.py,%,$(wildcard $(ADAPTERS)/[a-z]*/__init__.py)) \
  $(patsubst sdks/python/tests/integrations/%.txt,%,$(wildcard sdks/python/tests/integrations/traced_*.txt)))
INTEGRATION ?= $(INTEGRATIONS)

test-integrations: .venv/.ready dist/python/.built ## test the adapters on the newest frameworks (INTEGRATION=langchain for one)
	@printf '%s\n' $(INTEGRATION) | xargs -P 2 -n 1 .ci/test-integration
	@echo "integrations tested: $(INTEGRATION)"

.venv-legacy/.ready:
	@$(PYTHON) -m venv .venv-legacy
	@.venv-legacy/bin/pip install --quiet --disable-pip-version-check 'identity-os-sdk==0.9.0' 'pytest>=8.3,<10' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-legacy, and make again" >&2; exit 1; }
	@touch $@

# The package's synchronous client leaves connections to the garbage collector, and Python warns about that.
test-sdk-legacy: .venv/.ready .venv-legacy/.ready
	@.venv-legacy/bin/python -m pytest -p no:cacheprovider -W ignore::ResourceWarning \
	  -W ignore::pytest.PytestUnraisableExceptionWarning sdks/legacy

# The package of the TypeScript SDK, as it would be published.
TYPESCRIPT := $(filter-out %/observer-table.ts,$(wildcard sdks/typescript/src/*.ts sdks/typescript/*.json sdks/typescript/*.mjs sdks/typescript/*.md))

dist/typescript/.packed: $(TYPESCRIPT) sdks/python/identity_os_sdk/observer.json
	@command -v npm >/dev/null || { echo "Node.js 20 or later is needed" >&2; exit 1; }
	@rm -rf dist/typescript && mkdir -p dist/typescript
	@cd sdks/typescript && npm install --silent --no-audit --no-fund && npm pack --silent --pack-destination ../../dist/typescript >/dev/null
	@touch $@

test-sdk-typescript: .venv/.ready dist/typescript/.packed
	@rm -rf dist/typescript/project && mkdir -p dist/typescript/project
	@cp -r sdks/typescript/test sdks/typescript/examples dist/typescript/project
	@cd dist/typescript/project && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund ../*.tgz standardwebhooks@1
	@cd dist/typescript/project && for module in NodeNext ESNext CommonJS; do \
	  resolution=$$([ $$module = NodeNext ] && echo NodeNext || { [ $$module = ESNext ] && echo Bundler || echo Node10; }); \
	  ../../../sdks/typescript/node_modules/.bin/tsc --noEmit --strict --target ES2022 --module $$module \
	    --moduleResolution $$resolution test/snippet.ts || exit 1; done
	@cd dist/typescript/project && IDENTITY_OS_ROOT=$(CURDIR) node --test --test-reporter=dot test/*.test.mjs

AI_SDK ?= 6 7

test-ai-sdk: .venv/.ready dist/typescript/.packed ## test the adapter for the Vercel AI SDK on its newest releases (AI_SDK=7 for one)
	@for version in $(AI_SDK); do .ci/test-ai-sdk $$version || exit 1; done

test-browser: .venv/.ready dist/typescript/.packed ## a page in headless Chromium drives the TypeScript SDK across origins
	@.ci/chromium .ci/test-browser

# Validators and client generators that nobody here wrote. @hey-api/openapi-ts 0.96 and later need Node.js 22.
.venv-openapi/.ready:
	@command -v npm >/dev/null || { echo "Node.js 20 or later is needed" >&2; exit 1; }
	@$(PYTHON) -m venv .venv-openapi
	@echo "installing validators and client generators into .venv-openapi ..."
	@.venv-openapi/bin/pip install --quiet --disable-pip-version-check 'openapi-spec-validator>=0.7,<1' \
	  'openapi-python-client>=0.29,<0.30' \
	  && npm install --prefix .venv-openapi/node --silent --no-audit --no-fund '@redocly/cli@2' '@stoplight/spectral-cli@6' \
	  '@hey-api/openapi-ts@0.95' 'typescript@5.9' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-openapi, and make again" >&2; exit 1; }
	@touch $@

test-openapi: .venv/.ready .venv-openapi/.ready ## docs/openapi.json: three validators, and two generated clients that drive a server
	@$(BIN)/python -m tests.openapi

lint: .venv/.ready ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.venv/.bench: .venv/.ready
	@$(BIN)/pip install --quiet --disable-pip-version-check -c $(VENV)/locked.txt -e '.[bench]'
	@touch $@

bench: .venv/.bench .venv-sam/.ready ## all speed budgets in one table (some minutes; on an idle machine, after make build)
	@$(BIN)/python -m benchmarks.speed

bench-counts: .venv/.ready ## the deterministic rows of make bench: calls, hops, bytes, imports
	@$(BIN)/python -m benchmarks.speed counts

bench-behaviour: .venv/.ready ## the guardrail comparison and the reference behaviours, as tables
	@$(BIN)/python -m benchmarks.behaviour

# The folder of agents.jsonl.gz: recorded runs, which are not part of the project.
TRACES ?= ../shared/traces

bench-traces: .venv/.ready ## recorded runs of real agents through guard and engine: the tables of docs/evidence.md (TRACES=folder)
	@PYTHONPATH=sdks/python TRACES=$(TRACES) $(BIN)/python -m benchmarks.traces

bench-mcp: .venv/.ready ## what the MCP proxy adds to a tool call over stdio
	@$(BIN)/python -m benchmarks.mcp

bench-upgrades: .venv/.ready ## what previews, forks and earlier contracts take
	@$(BIN)/python -m benchmarks.upgrades

bench-scaling: .venv/.ready ## an account and an agent at ten times what a partition writes, in simulated time
	@$(BIN)/python -m benchmarks.scaling

bench-hook: .venv/.ready ## what the hook of Claude Code costs, as processes
	@PYTHONPATH=sdks/python $(BIN)/python -m benchmarks.hook

bench-cost: .venv/.ready ## the cost of a million cycles on AWS, item by item
	@$(BIN)/python -m benchmarks.cost

strength: .venv/.ready ## what failures of each strength lead to: the table of docs/event-strength.md
	@$(BIN)/python -m benchmarks.strength

plots: .venv/.ready ## draw the figures of docs/concepts.md
	@$(BIN)/python -m benchmarks.plots

freeze: .venv/.ready ## freeze the engine under its version, on the day of its release
	@$(BIN)/python engine/freeze.py

golden: .venv/.ready ## regenerate tests/golden.json, after ENGINE_VERSION was raised
	@$(BIN)/python -m tests.golden

openapi: .venv/.ready ## regenerate docs/openapi.json
	@$(BIN)/python -m local.openapi

scopes: .venv/.ready ## which scope of a key each endpoint needs: the table of docs/api.md
	@$(BIN)/python -m local.scopes

validate: .venv-sam/.ready .venv-checkov/.ready ## check template.yaml: sam validate --lint, cfn-lint, checkov, the preflight
	@$(SAM)/sam validate --lint
	@$(SAM)/cfn-lint template.yaml examples/*.yaml
	@$(CHECKOV)/checkov --config-file .checkov.yaml
	@$(SAM)/python tests/preflight.py

mutants: .venv/.ready .venv-sam/.ready .venv-checkov/.ready ## mutation tests: apply one bug at a time and run the check that must find it
	@$(BIN)/python -m tests.mutants

.venv-lock/.ready:
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' \
	  || { echo "installation failed: check the network, then run: rm -rf .venv-lock, and make again" >&2; exit 1; }
	@touch $@

lock: .venv-lock/.ready ## lock the packages that are deployed, by version and hash (UPGRADE=1: the newest in pyproject.toml's ranges)
	@.ci/lock .venv-lock/bin/uv

build: .venv-sam/.ready ## sam build, for RUNTIME and ARCHITECTURE, independent of this machine
	@find functions -name __pycache__ -prune -exec rm -rf {} +
	@PATH="$(CURDIR)/$(SAM):$$PATH" $(SAM)/sam build --parameter-overrides Runtime=$(RUNTIME) Architecture=$(ARCHITECTURE)
	@$(RUNTIME) -c '' 2>/dev/null || echo "NOTE: $(RUNTIME) is not installed, so the layers have no bytecode:" \
	  "cold starts take 1.8 times as long. Install it before a production deployment." >&2

e2e: .venv/.ready .venv-sam/.ready ## the API over sam local start-api and DynamoDB Local, in containers (needs a container engine and Java)
	@$(BIN)/python -m tests.e2e

deploy: .venv-sam/.ready ## build and deploy the commit that was tested (STAGE=dev|prod, PARAMETERS='Name=value ...', UNTESTED=1)
	@release=$$(.ci/deployable $(SAM)/python $(STAGE)) && $(MAKE) --no-print-directory build && \
	$(SAM)/sam deploy --config-env $(STAGE) --parameter-overrides Stage=$(STAGE) Runtime=$(RUNTIME) \
	  Architecture=$(ARCHITECTURE) Release=$$release $(PARAMETERS)

clean: ## remove installed and built files; keeps the data in .local
	rm -rf .venv .venv-* .aws-sam build *.egg-info

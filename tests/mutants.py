"""`make mutants`: mutation tests. Applies one bug at a time to a copy of the project and runs the check that must find it.

Prints a line for each mutant. Exit code 1 when a check misses its mutant, or fails without one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final

YAML: Final = "template.yaml"
ROOT: Final = Path(__file__).resolve().parent.parent
VALIDATE: Final = (".venv-sam/bin/sam", "validate", "--lint")
CFN_LINT: Final = (".venv-sam/bin/cfn-lint", "template.yaml")
CHECKOV: Final = (".venv-checkov/bin/checkov", "--config-file", ".checkov.yaml")
TEMPLATE: Final = (".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "tests/unit/test_template.py")
HANDLERS: Final = (".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "tests/api/test_lambda_handlers.py", "-k")
HEAD: Final = (*HANDLERS, "head")
ROUTES: Final = (*HANDLERS, "route")
PYTEST: Final = (".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "-x")
OPENAPI: Final = (*PYTEST, "tests/api/test_openapi.py")
CARELESS: Final = (*PYTEST, "tests/api/test_careless_clients.py")
FAULTS: Final = (*PYTEST, "tests/faults")
ONCE: Final = (*PYTEST, "tests/api/test_idempotency.py")
AUDIT: Final = (*PYTEST, "tests/api/test_audit.py")
ENGINES: Final = (*PYTEST, "tests/api/test_engines.py")
FORKS: Final = (*PYTEST, "tests/api/test_forks.py")
RECONCILE: Final = (*PYTEST, "tests/api/test_reconcile.py")
SCOPES: Final = (*PYTEST, "tests/api/test_scopes.py")
PREFLIGHT: Final = (".venv-sam/bin/python", "tests/preflight.py")
FIREWALL: Final = (".venv-sam/bin/cfn-lint", "examples/firewall.yaml")
DEPLOYMENT: Final = (*PYTEST, "tests/unit/test_deployment.py")
LOCKED: Final = (*PYTEST, "tests/unit/test_locked_packages.py")
FIRST_DAY: Final = (*PYTEST, "tests/unit/test_first_day.py")
PACKING: Final = (*PYTEST, "tests/unit/test_packing.py")
TIMELINE: Final = (*PYTEST, "tests/api/test_timeline.py")
CALLERS: Final = (*PYTEST, "tests/api/test_callers.py")
AGENTS: Final = (*PYTEST, "tests/console/test_agents.py")
RECORDS: Final = (*PYTEST, "tests/console/test_audit.py")
DECIDE: Final = (*PYTEST, "tests/console/test_decide.py")
FRAME: Final = (*PYTEST, "tests/console/test_frame.py")
PERSONAS: Final = (*PYTEST, "tests/console/test_personas.py")
LOGIN: Final = (*PYTEST, "tests/console/test_login.py")
PEOPLE: Final = (*PYTEST, "tests/console/test_people_and_keys.py")
SHARED: Final = (*PYTEST, "tests/unit/test_shared_gateway_keys.py")
DELETION: Final = (*PYTEST, "tests/unit/test_account_deletion.py")
BAD_INPUT: Final = (*PYTEST, "tests/bad_input")
NORMAL: Final = (*PYTEST, "tests/unit/test_normal_agents.py")
FUZZ: Final = (*PYTEST, "tests/property/test_contract_consistency.py")
EVENTS: Final = (*PYTEST, "tests/unit/test_events.py")
DELIVERY: Final = (*PYTEST, "tests/events/test_delivery.py")
ADDRESSES: Final = (*PYTEST, "tests/events/test_addresses.py")
WEBHOOKS: Final = (*PYTEST, "tests/api/test_webhooks.py")
COUNTS: Final = (".venv/bin/python", "-m", "benchmarks.speed", "counts")
ARCHITECTURE: Final = (*PYTEST, "tests/unit/test_architecture.py", "-k", "layers")
SERVICE: Final = "layers/service/identity_service"
STORE: Final = f"{SERVICE}/store"
PAGES: Final = "functions/console"
ENGINE: Final = "engine/identity_engine"
CONTRACT: Final = f"{ENGINE}/contract"

#: Description of the bug, file, original text, replacement, and the check that must fail.
MUTANTS: Final = [
    ("an unknown property", YAML, "TracingEnabled: true", "TracingEnabld: true", VALIDATE),
    ("a reference to an unknown resource", YAML, "!GetAtt AccessLog.Arn", "!GetAtt AcessLog.Arn", CFN_LINT),
    ("a table without point-in-time recovery", YAML, "RecoveryEnabled: true", "RecoveryEnabled: false", CHECKOV),
    ("a suppression removed", ".checkov.yaml", "  - CKV_AWS_173\n", "", CHECKOV),
    ("a route missing in the app", YAML, "/v1/personas/{persona_id}", "/v1/personae/{persona_id}", ROUTES),
    ("a route missing in the template", "functions/health/app.py", '"/v1/health"', '"/v1/healthy"', ROUTES),
    ("a wildcard action", YAML, "- dynamodb:BatchGetItem", "- dynamodb:*", TEMPLATE),
    ("a role without a needed action", YAML, "                - dynamodb:BatchGetItem\n", "", TEMPLATE),
    ("a role with an unneeded action", YAML, "- dynamodb:GetItem", f"- dynamodb:GetItem\n{' ' * 16}- dynamodb:Scan", TEMPLATE),
    ("a role with other partition keys", YAML, '["KEY#*", "ACCOUNT#*"]', '["KEY#*", "ACCOUNTS*"]', TEMPLATE),
    ("a plan with another rate limit", YAML, "RateLimit: 5\n", "RateLimit: 6\n", TEMPLATE),
    ("a plan with another burst limit", YAML, "BurstLimit: 20\n", "BurstLimit: 10\n", TEMPLATE),
    ("methods without a required API key", YAML, "ApiKeyRequired: true", "ApiKeyRequired: false", TEMPLATE),
    ("API Gateway keys from a header", YAML, "ApiKeySourceType: AUTHORIZER", "ApiKeySourceType: HEADER", TEMPLATE),
    ("a 503 without Retry-After", YAML, "              Retry-After: \"'3600'\"\n", "", TEMPLATE),
    ("a secret in the access log", YAML, "$context.authorizer.key_id", "$context.identity.apiKey", TEMPLATE),
    ("interactive docs in production", YAML, 'IDENTITY_OS_DOCS_ENABLED: "false"', 'IDENTITY_OS_DOCS_ENABLED: "true"', TEMPLATE),
    ("layers for another Python", "layers/dependencies/Makefile", "RUNTIME ?= python3.13", "RUNTIME ?= python3.12", TEMPLATE),
    ("an undocumented alarm", "docs/operations.md", "### purge-gave-up", "### purge", TEMPLATE),
    ("a timed-out commit is not read back", f"{STORE}/commits.py", "current: Head | None) -> bool:\n",
     "current: Head | None) -> bool:\n    return False\n", FAULTS),
    ("a response not stored", f"{SERVICE}/cycles.py", "[*change.records, *stored]", "[*change.records]", FAULTS),
    ("cycles released too early", f"{SERVICE}/cycles.py", "except OutcomeUnknown:", "except ZeroDivisionError:", FAULTS),
    ("a batch counted as one cycle", f"{SERVICE}/cycles.py", "earlier + len(steps)", "earlier + 1", FAULTS),
    ("a database error as a 500", f"{STORE}/dynamodb.py", "raise StoreUnavailable(code) from error", "raise", FAULTS),
    ("a counter update retried", f"{STORE}/usage.py", "write(operation, repeatable=False)", "write(operation)", RECONCILE),
    ("a replay for another body", f"{STORE}/idempotency.py", 'idempotency.fingerprint == record["fingerprint"]', "True", ONCE),
    ("idempotency records never expire", f"{STORE}/idempotency.py", 'record["expires"] > self.moment', "True", ONCE),
    ("digests not compared", f"{SERVICE}/audit.py", 'record["digest"] != expected_digest', "False", AUDIT),
    ("replayed states not compared", f"{SERVICE}/audit.py", "if any(record[name]", "if False and any(record[name]", AUDIT),
    ("an engine that is not there taken for sound", f"{SERVICE}/audit.py", "self.foreign = Mismatch(", "_ = Mismatch(", AUDIT),
    ("a pin that a report ignores", f"{SERVICE}/cycles.py", "engine(head.engine_version).p", "engine(birth()[2]).p", ENGINES),
    ("records of two engines in one chain", f"{SERVICE}/lineage.py", ' and version != self.version', " and False", ENGINES),
    ("an upgrade of an agent that waits", f"{SERVICE}/upgrades.py", "if not force and", "if False and", ENGINES),
    ("two upgrades of one agent", f"{SERVICE}/upgrades.py", "if current.engine_version != head", "if False and head", ENGINES),
    ("an upgrade that no record proves", f"{STORE}/audit_trail.py", '"note", "upgrade",', '"note",', ENGINES),
    ("a damaged release that is run", f"{SERVICE}/engines.py", ".hexdigest() != digest", ".hexdigest() == '-'", ENGINES),
    ("a missing engine as a 500", f"{SERVICE}/middleware.py", "case UnknownEngine():", "case ZeroDivisionError():", ENGINES),
    ("a fork that is not billed", f"{SERVICE}/forks.py", "    meter.reserve(seq)\n", "", FORKS),
    ("a fork that nobody purges", f"{SERVICE}/forks.py", "dynamodb.write(dynamodb.put(self.mark()", "str((self.mark()", FORKS),
    ("a finished fork that is purged", "functions/purge/app.py", "and exists(keys", "and not exists(keys", FORKS),
    ("a fork whose reports are others", f"{SERVICE}/audit.py", "next(reported, None) != row", "next(reported, 0) == 0", FORKS),
    ("a contract of the cycle beside", f"{SERVICE}/replays.py", "[: seq - way.seq]", "[: seq - way.seq + 1]", FORKS),
    ("a life without checkpoints", f"{STORE}/audit_trail.py", 'item["checkpoint"] =', '_ =', FORKS),
    ("a truncated audit trail accepted", f"{SERVICE}/audit.py", "self.number < header.records", "False", AUDIT),
    ("actor and note outside the digest", f"{STORE}/audit_trail.py", '"format", "actor", "note", "up', '"format", "up', AUDIT),
    ("a replayed answer without its digest", f"{SERVICE}/middleware.py", "error.digest, error", "None, error", AUDIT),
    ("anchors that are not looked for", f"{SERVICE}/audit.py", "if missing and not", "if False and not", AUDIT),
    ("an agent that may reset itself", f"{SERVICE}/scopes.py", "{_INSTANCE}/goals/assess", "{_INSTANCE}/reset", SCOPES),
    ("a bound key that sees others", f"{SERVICE}/middleware.py", "instance_id not in principal.bound_to", "False", SCOPES),
    ("a list that shows a bound key all", "functions/instances/app.py", "if principal.bound_to:", "if False:", SCOPES),
    ("a scope that nobody knows", f"{SERVICE}/scopes.py", "return scope in SCOPES and SCOPES", "return SCOPES", SCOPES),
    ("a preflight that asks for a key", YAML, "ToCorsPreflight: false", "ToCorsPreflight: true", PREFLIGHT),
    ("a second stage that nothing throttles", YAML, "      OpenApiVersion: 3.0.1\n", "", PREFLIGHT),
    ("a log role before the first API", YAML, "    DependsOn: Api\n", "", PREFLIGHT),
    ("a log role in a circle", YAML, "    DependsOn: Api\n", "    DependsOn: ApiStage\n", PREFLIGHT),
    ("a stage that logs without a role", YAML, "!Ref GatewayLogAccount, elsewhere", "here, elsewhere", PREFLIGHT),
    ("ten purges at a time", YAML, "ParallelizationFactor: 1", "ParallelizationFactor: 10", TEMPLATE),
    ("concurrency that a new account lacks", YAML, "Type: Number\n    Default: 0", "Type: Number\n    Default: 5", TEMPLATE),
    ("a firewall that is no template", "examples/firewall.yaml", "RateBasedStatement", "RateStatement", FIREWALL),
    ("a region that is not the profile's", "cli/main.py", 'os.environ.get("AWS_REGION") or', '"us-east-1" or', DEPLOYMENT),
    ("a new layer that no version gets", YAML, "      PublishLambdaVersion: true\n", "", PREFLIGHT),
    ("a function that keeps its old layers", YAML, "      AutoPublishAliasAllProperties: true\n", "", PREFLIGHT),
    ("a gradual deployment by default", YAML, 'Default: "false"', 'Default: "true"', PREFLIGHT),
    ("a gradual deployment without an alarm", YAML, "      Alarms: [!Ref ServerErrors]\n", "", PREFLIGHT),
    ("half an hour that the alarm outlasts", YAML, "Canary10Percent30Minutes", "Canary10Percent10Minutes", TEMPLATE),
    ("a deployment of what is not committed", ".ci/deployable", '-n "$(git status --porcelain)"', '"" = x', DEPLOYMENT),
    ("a deployment of what was not tested", ".ci/deployable", '!= "$(.ci/tree)"', '= x', DEPLOYMENT),
    ("a note after tests that failed", ".ci/tested", '"$@"\n', '"$@" || true\n', DEPLOYMENT),
    ("a range without a new lock", "pyproject.toml", '"mangum>=0.19,<1"', '"mangum>=0.20,<1"', LOCKED),
    ("a package with another hash", "layers/dependencies/requirements.txt", "--hash=sha256:", "--hash=md5:", LOCKED),
    ("a build that takes any file", "layers/dependencies/Makefile", " --require-hashes", "", LOCKED),
    ("log lines that Lambda takes for INFO", f"{SERVICE}/log.py", ", use_rfc3339=True", "", FIRST_DAY),
    ("idle connections that are kept", f"{STORE}/dynamodb.py", "if _used - before > _IDLE:", "if False:", FIRST_DAY),
    ("a missing permission as a 503", f"{STORE}/dynamodb.py", '    "AccessDeniedException",\n', "", FIRST_DAY),
    ("a dictionary that changed", f"{STORE}/dictionaries/1.txt", '"birth_energy"', '"birth_energi"', PACKING),
    ("too many cycles released", f"{STORE}/reconcile.py", " - now.released", "", RECONCILE),
    ("a key without the account", f"{STORE}/instances.py", 'f"ACCOUNT#{account_id}#INST#{', 'f"INST#{', CALLERS),
    ("an API key in the log", "functions/authorizer/app.py", "    principal = ", "    print(event)\n    principal = ", CALLERS),
    ("a form without its token", f"{PAGES}/visitor.py", "not compare_digest(token", "False and compare_digest(token", FRAME),
    ("a viewer who may change", f"{SERVICE}/roles.py", "ROLES.index(role) >= ", "0 <= ROLES.index(role) >= 0 * ", PEOPLE),
    ("a session that never ends", f"{STORE}/sessions.py", 'row["expires"] <= now()', "False", FRAME),
    ("a session of another person", f"{PAGES}/cookies.py", 'values.get("name") != name', "False", FRAME),
    ("a log-in that works twice", f"{STORE}/one_time.py", "        dynamodb.write(dynamodb.delete(_login_key(state)",
     "        0 and dynamodb.write(dynamodb.delete(_login_key(state)", LOGIN),
    ("an address that nobody verified", f"{PAGES}/pages/login.py", 'claims.get("email_verified") not', "True not", LOGIN),
    ("a log-in that leads elsewhere", f"{PAGES}/urls.py", 'target.startswith("//")', "False", LOGIN),
    ("an invitation for anybody", f"{STORE}/invitations.py", ' or item["email"] != email.lower()', "", PEOPLE),
    ("the last owner removed", f"{STORE}/users.py", "owners > :one", "owners >= :one", PEOPLE),
    ("a key without a trace", f"{STORE}/accounts.py", "return [account_trail.", "return [] and [account_trail.", PEOPLE),
    ("reads that never run", f"{PAGES}/reads.py", "[_executor.submit(read) for read in reads]", "[]", RECORDS),
    ("a decision about another version", f"{SERVICE}/cycles.py", "current.version - 1 != seen.version", "False", DECIDE),
    ("a double click that is refused", f"{SERVICE}/decisions.py", "  idempotency.check()", "  pass", DECIDE),
    ("a decision without a note", f"{PAGES}/pages/decide.py", "if not note or", "if", DECIDE),
    ("a gap between pages of records", f"{STORE}/trail_pages.py", "seq=rows[-1].before", "seq=position.seq", RECORDS),
    ("an agent made twice by one form", f"{SERVICE}/decisions.py", "limit, idempotency, body", "limit, None, body", PERSONAS),
    ("a day of the next month removed", f"{STORE}/usage.py", "name[:7] < windows", "name[:7] != windows", CALLERS),
    ("a day that keeps what was given back", f"{STORE}/usage.py", "{expression}, #d :less", "{expression}", CALLERS),
    ("a first line of another agent", f"{PAGES}/pages/audit_export.py", 'values["instance_id"] != head.id', "False", RECORDS),
    ("an issuer without PKCE", "local/issuer.py", "or not compare_digest(challenge, code.challenge)", "", LOGIN),
    ("another account's agent is shown", f"{PAGES}/agents.py", "instances.get(account_id, instance_id))", "None)", AGENTS),
    ("who needs a person is not in the index", f"{STORE}/instances.py", '"by_need": need and', '"by_need": None and', AGENTS),
    ("a markup of a chart's link", "engine/identity_charts/draw.py", "escape(_UNFIT.sub", "str(_UNFIT.sub", AGENTS),
    ("a timeline that misses the end of a batch", f"{STORE}/timeline.py", "newest + LARGEST_BATCH - 1", "newest", TIMELINE),
    ("a timeline whose pages overlap", "functions/engine/app.py", "min(page.before - 1,", "min(page.before,", TIMELINE),
    ("a flag in another flag's place", f"{STORE}/timeline.py", "flags >> bit & 1", "flags >> (bit + 1) & 1", TIMELINE),
    ("a shared key with a throttle", "cli/gateway.py", "key(number), SHARED_PLAN", 'key(number), "free"', SHARED),
    ("a membership without its account", f"{STORE}/account_deletion.py", 'if kind == "MEMBER":', 'if kind == "":', SHARED),
    ("a suspended account that is served", f"{STORE}/accounts.py", ' or "suspended_at" in account:', ":", CALLERS),
    ("an instance's items left behind", f"{STORE}/account_deletion.py", 'account.get("removing")', "None", DELETION),
    ("an unhandled second error", f"{SERVICE}/middleware.py", "except Exception:  # the error", "except KeyError:  #", CALLERS),
    ("a number beyond JSON", f"{SERVICE}/request_models.py", "    except ValueError:", "    except KeyError:", BAD_INPUT),
    ("a context limit off by one", f"{SERVICE}/request_models.py", "CONTEXT_LIMIT = 8_192", "CONTEXT_LIMIT = 8_193", BAD_INPUT),
    ("a parser without a depth limit", f"{SERVICE}/legacy.py", "from_json(body) |", "json.loads(body) |", BAD_INPUT),
    ("bytecode checked by timestamp", "layers/service/Makefile", "unchecked-hash", "timestamp", ARCHITECTURE),
    ("an event of each cycle of a drift", f"{SERVICE}/events.py", "now.level > max(earlier.level,",
     "now.level > max(0,", EVENTS),
    ("a batch that tells its last cycle", f"{SERVICE}/events.py", "begun[0].cycle", "begun[-1].cycle", EVENTS),
    ("events beside the record", f"{STORE}/audit_trail.py", ', "events": new.events}', "}", EVENTS),
    ("a threshold told again and again", f"{STORE}/outbox.py", "identity = event_id(account_id, THRESHOLD_REACHED, month,",
     "identity = event_id(account_id, THRESHOLD_REACHED, str(cycles), str(now()),", EVENTS),
    ("a look-up that is not looked at", f"{SERVICE}/webhooks/addresses.py", "            if not is_public(address):",
     "            if False:", ADDRESSES),
    ("one good address is enough", f"{SERVICE}/webhooks/addresses.py", "for address in sorted(found):",
     "for address in sorted(found)[:1]:", ADDRESSES),
    ("an address behind 6to4", f"{SERVICE}/webhooks/addresses.py", '        "2002::/16",', '        "2003::/16",', ADDRESSES),
    ("another cloud's host", f"{SERVICE}/webhooks/addresses.py", '"168.63.129.16/32"', '"168.63.129.17/32"', ADDRESSES),
    ("localhost for everybody", f"{SERVICE}/webhooks/addresses.py", "in _LOCALHOST and localhost_allowed()",
     "in _LOCALHOST", ADDRESSES),
    ("a connection that looks up again", f"{SERVICE}/webhooks/sending.py", "(self._where.address, self._where.port)",
     "(self._where.host, self._where.port)", ADDRESSES),
    ("a certificate for any name", f"{SERVICE}/webhooks/sending.py", "server_hostname=self._where.host",
     "server_hostname='hooks.example.com'", ADDRESSES),
    ("a slow receiver that is waited for", f"{SERVICE}/webhooks/sending.py", "    ending.start()\n", "", ADDRESSES),
    ("a secret that opens anywhere", f"{SERVICE}/webhooks/sealing.py", 'return f"{account_id}#{hook_id}".encode()',
     'return b""', DELIVERY),
    ("a redirect taken for a success", f"{SERVICE}/webhooks/sending.py", "self.status < 300", "self.status < 400", DELIVERY),
    ("another id on a retry", f"{SERVICE}/webhooks/messages.py", 'f"{identity}.{hook_id}".encode()',
     'f"{identity}.{hook_id}{__import__(\'time\').time()}".encode()', DELIVERY),
    ("an old secret that signs for ever", "functions/deliver/app.py", 'hook.get("older_until", 0) > now()',
     '"older_secret" in hook', DELIVERY),
    ("a delivery that is sent twice", "functions/deliver/app.py", 'sent["status"] in _ENDED', "False", DELIVERY),
    ("a webhook that is never switched off", f"{STORE}/webhooks.py", "if moment - since < PATIENCE:", "if True:", DELIVERY),
    ("another account's events", f"{STORE}/webhooks.py", 'return f"HOOKS#{account_id}"', 'return "HOOKS#"', DELIVERY),
    ("a failed record that is forgotten", "functions/fanout/app.py", '"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]',
     '"itemIdentifier": record["dynamodb"]["SequenceNumber"]}][:0]', DELIVERY),
    ("delivered before it was noted", "functions/deliver/app.py", "    answer = sending.post(",
     "    webhooks.note(message, webhooks.DELIVERED, attempts)\n    answer = sending.post(", DELIVERY),
    ("a secret in a list", f"{SERVICE}/responses.py", '        "url": hook["url"],\n',
     '        "url": hook["url"] + str(hook["secret"]),\n', WEBHOOKS),
    ("a rotation for each retry", f"{SERVICE}/webhooks/hooks.py", 'if once and hook.get("rotated_by") == once.key:',
     "if False:", WEBHOOKS),
    ("a read key that sees webhooks", f"{SERVICE}/scopes.py", "if resource.startswith(_WEBHOOKS):", "if False:", SCOPES),
    ("a throttled call that is never given up", f"{STORE}/dynamodb.py", "_ATTEMPTS = 3", "_ATTEMPTS = 9", COUNTS),
    ("a needless query", f"{STORE}/audit_trail.py", "if number == 1:", "if number == 0:", COUNTS),
    ("a needless import", f"{SERVICE}/cold_start.py", "import gc\n", "import gc\nimport boto3\n", COUNTS),
    ("a pause that restricts nothing", f"{CONTRACT}/action_space.py", "(PAUSE, when.should_pause)", "(PAUSE, False)", FUZZ),
    ("a goal accepted while paused", f"{CONTRACT}/goals.py", "    if when.should_pause:", "    if False:", FUZZ),
    ("a rollback that ends a crisis", f"{ENGINE}/drift.py", "keep_stress=True", "keep_stress=False", NORMAL),
    ("an agent without youth", f"{ENGINE}/config.py", "youth_reports: int = 100", "youth_reports: int = 20", NORMAL),
    ("an incident that is ordinary", f"{ENGINE}/activation.py", "if observation.incident:", "if False:", NORMAL),
    ("an outdated OpenAPI document", "docs/openapi.json", "Content Too Large", "Too Large", OPENAPI),
    ("an example that no longer holds", "local/examples.json", '"D1"', '"D2"', OPENAPI),
    ("a property without a description", f"{SERVICE}/query_models.py", 'description="Rows to skip."', "", OPENAPI),
    ("an error code that is not in the document", f"{SERVICE}/errors.py", '409, "conflict"', '409, "collision"', OPENAPI),
    ("a HEAD with a body", f"{SERVICE}/middleware.py", '"body": b""', '"more_body": False', HEAD),
    ("a null that hides an unknown field", f"{SERVICE}/validation_errors.py", "extra_forbidden\" or", "\" or", CARELESS),
    ("a scheme with a case", "functions/authorizer/app.py", "scheme.lower()", "scheme", CARELESS),
]  # fmt: skip


def main() -> int:
    """Run all mutants, one copy of the project for each processor, and return the exit code."""
    missed = 0
    workers = min(os.cpu_count() or 1, 4)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            _copy(Path(folder) / str(number))
            copies.put(Path(folder) / str(number))
        checks = list(dict.fromkeys(mutant[-1] for mutant in MUTANTS))
        for check, passes in zip(checks, pool.map(lambda check: _unchanged(check, copies), checks), strict=True):
            if not passes:
                missed += 1
                print(f"FAIL    without a mutant: {' '.join(check)}", flush=True)
        for mutant, found in zip(MUTANTS, pool.map(lambda mutant: _found(mutant, copies), MUTANTS), strict=True):
            description, file, _, _, check = mutant
            missed += not found
            print(
                f"{'found ' if found else 'MISSED'}  {description:<38} in {file:<30} by {Path(check[0]).name} {check[-1]}",
                flush=True,
            )
    print(f"{len(MUTANTS)} mutants, {missed} missed")
    return 1 if missed else 0


def _unchanged(check: tuple[str, ...], copies: "SimpleQueue[Path]") -> bool:
    """Whether a check passes without a mutant."""
    copy = copies.get()
    try:
        return _passes(check, copy)
    finally:
        copies.put(copy)


def _found(mutant: tuple[str, str, str, str, tuple[str, ...]], copies: "SimpleQueue[Path]") -> bool:
    """Whether a mutant's check fails with it."""
    _, file, original, replacement, check = mutant
    copy = copies.get()
    path = copy / file
    text = path.read_text()
    try:
        if original not in text:
            raise ValueError(f"{file} has no {original!r}")
        path.write_text(text.replace(original, replacement, 1))
        return not _passes(check, copy)
    finally:
        path.write_text(text)
        copies.put(copy)


def _copy(copy: Path) -> None:
    for name in (".ci", "tests", "functions", "layers", "engine", "local", "cli", "events", "docs", "benchmarks", "examples"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "samconfig.toml", "pyproject.toml", "Makefile", ".checkov.yaml", ".gitignore"):
        shutil.copy(ROOT / name, copy / name)
    for name in (".venv", ".venv-sam", ".venv-checkov"):
        (copy / name).symlink_to(ROOT / name)


def _passes(check: tuple[str, ...], copy: Path) -> bool:
    # Import the copy's packages, not those installed in the virtual environment.
    paths = os.pathsep.join(str(copy / name) for name in ("engine", "layers/service", "."))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(check, cwd=copy, capture_output=True, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

"""`make mutants`: mutation tests. Puts one bug of each kind into a copy of the project and runs the check that must find it.

Prints a line for each mutant. Exit code 1 when a check misses its mutant, or fails without one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

YAML: Final = "template.yaml"
ROOT: Final = Path(__file__).resolve().parent.parent
VALIDATE: Final = (".venv-sam/bin/sam", "validate", "--lint")
CFN_LINT: Final = (".venv-sam/bin/cfn-lint", "template.yaml")
CHECKOV: Final = (".venv-checkov/bin/checkov", "--config-file", ".checkov.yaml")
TEMPLATE: Final = (".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "tests/unit/test_template.py")
HANDLERS: Final = (".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "tests/api/test_lambda_handlers.py", "-k")
ROUTES: Final = (*HANDLERS, "route")
OPENAPI: Final = (*HANDLERS, "openapi")
PYTEST: Final = (".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "-x")
FAULTS: Final = (*PYTEST, "tests/faults")
ONCE: Final = (*PYTEST, "tests/api/test_idempotency.py")
AUDIT: Final = (*PYTEST, "tests/api/test_audit.py")
RECONCILE: Final = (*PYTEST, "tests/api/test_reconcile.py")
CALLERS: Final = (*PYTEST, "tests/api/test_callers.py")
BAD_INPUT: Final = (*PYTEST, "tests/bad_input")
COUNTS: Final = (".venv/bin/python", "-m", "benchmarks.speed", "counts")
ARCHITECTURE: Final = (*PYTEST, "tests/unit/test_architecture.py", "-k", "layers")
SERVICE: Final = "layers/service/identity_service"
STORE: Final = f"{SERVICE}/store"

#: What is wrong, the file, the text to replace, the text that replaces it, and the check that must fail.
MUTANTS: Final = [
    ("a property that does not exist", YAML, "TracingEnabled: true", "TracingEnabld: true", VALIDATE),
    ("a reference to nothing", YAML, "!GetAtt AccessLog.Arn", "!GetAtt AcessLog.Arn", CFN_LINT),
    ("a table without recovery", YAML, "RecoveryEnabled: true", "RecoveryEnabled: false", CHECKOV),
    ("a suppression lost", ".checkov.yaml", "  - CKV_AWS_173\n", "", CHECKOV),
    ("a route that no app has", YAML, "/v1/personas/{persona_id}", "/v1/personae/{persona_id}", ROUTES),
    ("a route that the template lacks", "functions/health/app.py", '"/v1/health"', '"/v1/healthy"', ROUTES),
    ("a wildcard action", YAML, "- dynamodb:BatchGetItem", "- dynamodb:*", TEMPLATE),
    ("a role that lacks an action", YAML, "                - dynamodb:BatchGetItem\n", "", TEMPLATE),
    ("a role with one too many", YAML, "- dynamodb:GetItem", f"- dynamodb:GetItem\n{' ' * 16}- dynamodb:Scan", TEMPLATE),
    ("a role over other keys", YAML, '["KEY#*", "ACCOUNT#*"]', '["KEY#*", "ACCOUNTS*"]', TEMPLATE),
    ("a plan's rate", YAML, "RateLimit: 5\n", "RateLimit: 6\n", TEMPLATE),
    ("a plan's burst", YAML, "BurstLimit: 20\n", "BurstLimit: 10\n", TEMPLATE),
    ("methods that need no API key", YAML, "ApiKeyRequired: true", "ApiKeyRequired: false", TEMPLATE),
    ("keys that callers send themselves", YAML, "ApiKeySourceType: AUTHORIZER", "ApiKeySourceType: HEADER", TEMPLATE),
    ("a gateway answer without its wait", YAML, "              Retry-After: \"'3600'\"\n", "", TEMPLATE),
    ("a secret in the access log", YAML, "$context.authorizer.key_id", "$context.identity.apiKey", TEMPLATE),
    ("docs in production", YAML, 'IDENTITY_OS_DOCS_ENABLED: "false"', 'IDENTITY_OS_DOCS_ENABLED: "true"', TEMPLATE),
    ("layers for another Python", "layers/dependencies/Makefile", "RUNTIME ?= python3.13", "RUNTIME ?= python3.12", TEMPLATE),
    ("an alarm nobody explains", "docs/operations.md", "### purge-gave-up", "### purge", TEMPLATE),
    ("a commit that is not looked for", f"{STORE}/commits.py", "found: Head | None) -> bool:\n",
     "found: Head | None) -> bool:\n    return False\n", FAULTS),
    ("an answer kept beside its commit", f"{SERVICE}/cycles.py", "[*change.records, *kept]", "[*change.records]", FAULTS),
    ("processed and given back", f"{SERVICE}/cycles.py", "except OutcomeUnknown:", "except ZeroDivisionError:", FAULTS),
    ("a batch counted as one cycle", f"{SERVICE}/cycles.py", "before + len(steps)", "before + 1", FAULTS),
    ("the database's failure as a 500", f"{STORE}/dynamodb.py", "raise StoreUnavailable(code) from error", "raise", FAULTS),
    ("a count sent again", f"{STORE}/usage.py", "write(operation, repeatable=False)", "write(operation)", RECONCILE),
    ("another body under a key", f"{STORE}/idempotency.py", 'idempotency.fingerprint == record["fingerprint"]', "True", ONCE),
    ("a key that never expires", f"{STORE}/idempotency.py", 'record["expires"] > self.moment', "True", ONCE),
    ("a digest that is not compared", f"{SERVICE}/audit.py", 'record["digest"] != expected_digest', "False", AUDIT),
    ("decisions that are not replayed", f"{SERVICE}/audit.py", "if not same:", "if False:", AUDIT),
    ("an older engine passed over", f"{SERVICE}/audit.py", 'record["engine_version"] != ENGINE_VERSION', "False", AUDIT),
    ("an end that nobody misses", f"{SERVICE}/audit.py", "self.number < heading.records", "False", AUDIT),
    ("too much given back", f"{STORE}/reconcile.py", " - now.given", "", RECONCILE),
    ("instances that anybody finds", f"{STORE}/instances.py", 'f"ACCOUNT#{account_id}#INST#{', 'f"INST#{', CALLERS),
    ("a key in the log", "functions/authorizer/app.py", "    principal = ", "    print(event)\n    principal = ", CALLERS),
    ("a failure in a failure", f"{SERVICE}/middleware.py", "except Exception:  # the error", "except KeyError:  #", CALLERS),
    ("a number beyond JSON", f"{SERVICE}/request_models.py", "    except ValueError:", "    except KeyError:", BAD_INPUT),
    ("a byte too many", f"{SERVICE}/request_models.py", "CONTEXT_LIMIT = 8_192", "CONTEXT_LIMIT = 8_193", BAD_INPUT),
    ("a parser without a limit", f"{SERVICE}/legacy.py", "from_json(body) |", "json.loads(body) |", BAD_INPUT),
    ("bytecode with a date", "layers/service/Makefile", "unchecked-hash", "timestamp", ARCHITECTURE),
    ("a search for nothing", f"{STORE}/audit_trail.py", "if number == 1:", "if number == 0:", COUNTS),
    ("an import that nobody needs", f"{SERVICE}/cold_start.py", "import gc\n", "import gc\nimport boto3\n", COUNTS),
    ("an OpenAPI document out of date", "docs/openapi.json", "Content Too Large", "Too Large", OPENAPI),
]  # fmt: skip


def main() -> int:
    """Run all of it; the exit code."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        _copy(copy)
        for check in dict.fromkeys(mutant[-1] for mutant in MUTANTS):
            if not _passes(check, copy):
                missed += 1
                print(f"FAIL    without a mutant: {' '.join(check)}", flush=True)
        for what, where, original, replacement, check in MUTANTS:
            path = copy / where
            text = path.read_text()
            assert original in text, (where, original)
            path.write_text(text.replace(original, replacement, 1))
            found = not _passes(check, copy)
            path.write_text(text)
            missed += not found
            print(
                f"{'found ' if found else 'MISSED'}  {what:<36} in {where:<30} by {Path(check[0]).name} {check[-1]}", flush=True
            )
    print(f"{len(MUTANTS)} mutants, {missed} missed")
    return 1 if missed else 0


def _copy(copy: Path) -> None:
    for name in ("tests", "functions", "layers", "engine", "local", "cli", "events", "docs", "benchmarks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "samconfig.toml", "pyproject.toml", "Makefile", ".checkov.yaml"):
        shutil.copy(ROOT / name, copy / name)
    for name in (".venv", ".venv-sam", ".venv-checkov"):
        (copy / name).symlink_to(ROOT / name)


def _passes(check: tuple[str, ...], copy: Path) -> bool:
    # The copy's packages, not those that the virtual environment knows.
    paths = os.pathsep.join(str(copy / name) for name in ("engine", "layers/service", "."))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(check, cwd=copy, capture_output=True, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

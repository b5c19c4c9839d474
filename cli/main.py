"""The `identity-os` command, for those who operate a deployment. `identity-os --help` lists its commands.

`--stack` selects a deployed stack: its table, and its API Gateway keys and usage plans, which are kept in sync with the table.
`--endpoint` selects another DynamoDB, such as DynamoDB Local, where there is no API Gateway. `verify` and `plans list` need
neither. Results go to standard output, one line per item; errors go to standard error, in one line, with exit code 1. A command
that was interrupted can be run again.

IDENTITY_OS_STACK is the default of --stack. With only IDENTITY_OS_TABLE set, commands use that table and leave API Gateway
unchanged.
"""

import argparse
import os
import sys
from collections.abc import Callable

import botocore.session
from botocore.exceptions import BotoCoreError

from cli import accounts, audit, gateway, instances, keys, plans, upgrade, usage, webhooks
from cli.arguments import BadArgument
from cli.output import fail
from identity_service.settings import settings
from identity_service.store.accounts import BeingDeleted, UnknownAccount, UnknownKey
from identity_service.store.dynamodb import Conflict, StoreUnavailable
from identity_service.webhooks.hooks import UnknownWebhook

_DESCRIPTION = """\
Administration of an Identity OS: accounts, their API keys and limits, their agents ("instances").
`identity-os COMMAND --help` explains a command."""

_EXAMPLES = """\
examples:
  identity-os --stack identity-os-prod accounts create Acme --plan pro     prints the account's id, acct_…
  identity-os --stack identity-os-prod keys create acct_… --name server    prints an API key, once
  identity-os --endpoint http://127.0.0.1:8001 usage acct_…                on a local DynamoDB

--stack needs AWS credentials. IDENTITY_OS_STACK=NAME in the environment stands for --stack NAME."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        options = _parser().parse_args(usage.spelled_out(sys.argv[1:] if arguments is None else arguments))
    except BadArgument as error:
        return fail(str(error))
    if options.stack and options.endpoint:
        return fail("--stack and --endpoint exclude each other: use one of them")
    if options.needs_table and not (options.stack or options.endpoint or _selected_by_environment()):
        return fail("no table selected: use --stack, such as --stack identity-os-prod, or --endpoint URL for another DynamoDB")
    if options.endpoint:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = options.endpoint
        # DynamoDB Local requires credentials and a region but does not check them.
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            os.environ.setdefault(f"AWS_{name}", "local")
    region = _region() or ("us-east-1" if options.endpoint else None)
    if region:
        os.environ["AWS_DEFAULT_REGION"] = region
    elif options.needs_table:
        return fail("no AWS region: set AWS_REGION, or the region of the AWS profile (aws configure set region ...)")
    command: Callable[[argparse.Namespace], int | None] = options.command
    options.gateway = None
    try:
        if options.stack:
            stack = gateway.find_stack(options.stack)
            os.environ["IDENTITY_OS_TABLE"] = stack.table
            settings.cache_clear()
            options.gateway = gateway.Gateway(stack)
        code = command(options) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read has enough, as `head` does. Nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return fail("interrupted: run the command again to complete it")
    except UnknownAccount as error:
        return fail(f"no account {error}")
    except UnknownKey as error:
        return fail(f"the account has no key {error}")
    except instances.UnknownInstance as error:
        return fail(f"the account has no instance {error}")
    except UnknownWebhook as error:
        return fail(f"the account has no webhook {error}")
    except BadArgument as error:
        return fail(str(error))
    except BeingDeleted as error:
        return fail(f"the deletion of {error} has begun; to complete it: identity-os accounts delete {error}")
    except gateway.UnknownStack as error:
        return fail(str(error))
    except gateway.GatewayRefused as error:
        return fail(f"{error}; run the command again, or: identity-os --stack {options.stack} plans check")
    except Conflict:
        return fail("something else changed the same data at the same time: run the command again")
    except (StoreUnavailable, BotoCoreError) as error:
        return fail(f"the table cannot be reached ({error}): check AWS credentials, --stack and --endpoint")


def _selected_by_environment() -> bool:
    """Whether the environment selects a table or another DynamoDB endpoint."""
    return any(name in os.environ for name in ("IDENTITY_OS_TABLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"))


def _region() -> str | None:
    """The region of the environment or of the AWS profile, as AWS's own command line finds it; botocore knows no AWS_REGION."""
    return os.environ.get("AWS_REGION") or botocore.session.get_session().get_config_variable("region")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="identity-os", description=_DESCRIPTION, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoint", metavar="URL", help="another DynamoDB, such as http://127.0.0.1:8001")
    stack = os.environ.get("IDENTITY_OS_STACK")
    parser.add_argument("--stack", metavar="NAME", default=stack, help="a deployed stack, such as identity-os-prod")
    parser.set_defaults(needs_table=True)
    commands = parser.add_subparsers(required=True, title="commands", metavar="COMMAND")
    for module in (accounts, keys, instances, upgrade, webhooks, usage, plans, audit):
        module.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

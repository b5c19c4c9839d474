"""`identity-os export`, `verify` and `explain`: an audit trail as a file, and what it proves without the table."""

import argparse
import json
import sys
from pathlib import Path
from typing import BinaryIO, TextIO

from cli.arguments import Commands, command, instance
from cli.instances import find
from cli.output import fail
from identity_service import audit
from identity_service.store import instances


def add_commands(commands: Commands) -> None:
    """Add the commands to the parser."""
    export = command(
        commands,
        "export",
        _export,
        "export an instance's audit trail, for `verify`",
        "One line of JSON for each record. With --to it also says the last digest: keep that elsewhere.",
    )
    instance(export)
    export.add_argument("--to", metavar="FILE", help="output file (default: standard output)")
    verify = command(
        commands,
        "verify",
        _verify,
        "replay an exported audit trail; exit code 1 when it was changed",
        "Needs no table and no network. Names the first record that differs from what was written.",
    )
    verify.add_argument("file", metavar="FILE", help="a file that `export` made")
    verify.add_argument("--digest", help="the last digest from a trusted record, to detect a completely forged file")
    verify.add_argument("--anchors", metavar="FILE", help="digests that an SDK kept (audit_log): each must be in the trail")
    verify.add_argument("--original", metavar="FILE", help="the export of the agent that this is a fork of: both must agree")
    verify.set_defaults(needs_table=False)
    explain = command(
        commands,
        "explain",
        _explain,
        "print the contract of an earlier cycle, from an exported audit trail",
        "Replays the trail with the engines that decided, and prints as JSON the contract that was handed out, a reason for "
        "each action, and the record that proves it. Needs no table and no network.",
    )
    explain.add_argument("file", metavar="FILE", help="a file that `export` made")
    explain.add_argument("--cycle", type=_cycle, required=True, metavar="N", help="a cycle of the engine's own count, from 0")
    explain.set_defaults(needs_table=False)


def _export(options: argparse.Namespace) -> int:
    head = find(options.account, options.instance)
    if options.to is None:
        _write(head, sys.stdout.buffer)
        return 0
    # Write to a temporary file first, so that a file with the given name is always complete.
    target = Path(options.to)
    partial = target.with_name(f"{target.name}.part")
    try:
        with partial.open("wb") as file:
            _write(head, file)
        partial.replace(target)
    except OSError as error:
        return fail(f"{options.to}: {error.strerror}")
    print(f"{head.records} records, last digest {head.digest}", file=sys.stderr)
    return 0


def _write(head: instances.Head, file: BinaryIO) -> None:
    for line in audit.export(head):
        file.write(f"{line}\n".encode())


class _NoAnchors(Exception):
    """The file of anchors cannot be read, or has none of this instance."""


def _anchors(path: str, instance_id: str) -> list[audit.Anchor]:
    with open(path, encoding="utf-8", errors="replace") as file:
        try:
            anchors = audit.anchors_of(instance_id, file)
        except ValueError as error:
            raise _NoAnchors(f"{path}: {error}") from None
    if not anchors:
        raise _NoAnchors(f"{path}: there is no anchor of {instance_id}")
    return anchors


def _verify(options: argparse.Namespace) -> int:
    anchors: list[audit.Anchor] = []
    try:
        with _lines(options.file) as file:
            if options.anchors:
                anchors = _anchors(options.anchors, audit.instance_of(file))
                file.seek(0)
            header, verification = audit.verify_export(file, anchors)
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}")
    except _NoAnchors as error:
        return fail(str(error))
    except audit.NotAnExport as error:
        return fail(f"{options.file}: {error}")
    if verification.mismatch:
        print(f"NOT VERIFIED: {verification.mismatch.reason}: {verification.mismatch.message}")
        return 1
    if options.digest and options.digest != header.digest:
        print(f"NOT VERIFIED: the last digest is {header.digest}, not the expected one")
        return 1
    if options.original and (problem := _other_than_original(options)):
        print(f"NOT VERIFIED: {problem}")
        return 1
    print(f"verified: {header.instance_id}, {header.records} records, {header.observations} observations replayed")
    print(f"last digest {header.digest}")
    if options.anchors:
        print(f"{len(anchors)} anchors of this instance, each in the trail")
    return 0


def _other_than_original(options: argparse.Namespace) -> str | None:
    """Why the fork is not one of the original; None when it is."""
    try:
        with _lines(options.original) as original:
            _, verification = audit.verify_export(original)
            if verification.mismatch:
                return f"{options.original}: {verification.mismatch.message}"
            original.seek(0)
            with _lines(options.file) as fork:
                return audit.verify_fork(fork, original)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except audit.NotAnExport as error:
        return f"{options.original}: {error}"


def _lines(path: str) -> TextIO:
    return open(path, encoding="utf-8", errors="surrogateescape", newline="\n")


def _cycle(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def _explain(options: argparse.Namespace) -> int:
    try:
        with _lines(options.file) as file:
            view = audit.explain_export(file, options.cycle)
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}")
    except audit.NotAnExport as error:
        return fail(f"{options.file}: {error}")
    except audit.Mismatch as mismatch:
        return fail(f"{options.file}: NOT VERIFIED: {mismatch.reason}: {mismatch.message}")
    if view is None:
        return fail(f"{options.file}: the agent has not been at cycle {options.cycle}")
    print(json.dumps(view, indent=2, ensure_ascii=False))
    return 0

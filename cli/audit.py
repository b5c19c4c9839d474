"""`identity-os export` and `verify`: an audit trail as a file, and its verification without the table."""

import argparse
import sys
from pathlib import Path
from typing import BinaryIO

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
    verify.set_defaults(needs_table=False)


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
        with open(options.file, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
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
    print(f"verified: {header.instance_id}, {header.records} records, {header.observations} observations replayed")
    print(f"last digest {header.digest}")
    if options.anchors:
        print(f"{len(anchors)} anchors of this instance, each in the trail")
    return 0

"""What Claude Code runs for each event: asks the daemon, and answers by itself when nobody else can.

    python -I -S client.py PreToolUse --on-unreachable safe ... < event.json

Its time is that of Python's start, so it imports next to nothing, and is run as a file: the package would take a third of a
second. Every path ends in an answer, since Claude Code runs the tool when a hook breaks.
"""

import os
import sys

TYPE_CHECKING = False  # as typing has it, without importing that
if TYPE_CHECKING:
    from subprocess import Popen

EVENTS = (
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "SubagentStart",
    "Stop",
)
#: What reaches the person and Claude's own notes alone: it is never held. And what only reads.
NEVER_HELD = ("AskUserQuestion", "ExitPlanMode", "EnterPlanMode", "TodoWrite", "TaskCreate", "TaskUpdate")
_READS = ("Read", "Glob", "Grep", "LS")
#: Seconds for the daemon to start, to answer, and for a process in its place.
_START, _ANSWER, _ALONE = 4.0, 8.0, 10.0
#: What an answer ends with: one that was cut off is none.
END = b"\0end"
_ENVIRONMENT = ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA")
_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))


def main() -> int:
    """Answer one event; the exit code."""
    given = sys.argv[1:]
    event = given[0] if given and given[0] in EVENTS else ""
    text = sys.stdin.buffer.read()
    for answer in (_daemon, _alone):
        try:
            code, output, errors = answer(given, text)
        except Exception:  # noqa: S112 - the next one answers
            continue
        sys.stderr.buffer.write(errors)
        sys.stdout.buffer.write(output)
        sys.stdout.flush()
        return code
    sys.stdout.write(without_engine(event, text, _chosen(given)))
    return 0


def without_engine(event: str, text: "bytes | str", on_unreachable: str, why: str = "the guard does not answer") -> str:
    """The answer, as JSON, when nothing is known: `on_unreachable` decides. safe lets pass what reads or asks.

    An event that nobody can name is taken for a call: for any other one Claude Code does not heed the answer.
    """
    import json

    try:
        found = json.loads(text)
        event, tool = event or str(found["hook_event_name"]), str(found.get("tool_name", ""))
    except Exception:
        tool = ""
    if event not in ("PreToolUse", "") or on_unreachable == "allow":
        return "{}\n"
    if tool in NEVER_HELD or (on_unreachable == "safe" and tool in _READS):
        return "{}\n"
    reason = f"{tool or 'The call'} is not allowed now: {why}, and on_unreachable={on_unreachable}. Tell the user."
    decided = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
    return json.dumps({"hookSpecificOutput": decided}) + "\n"


def _chosen(given: "list[str]") -> str:
    """What --on-unreachable says; allow for who only observes."""
    if _option(given, "--mode") == "observe":
        return "allow"
    return _option(given, "--on-unreachable") or "safe"


def _option(given: "list[str]", wanted: str) -> str:
    found = ""
    for i, word in enumerate(given):
        name, equals, value = word.partition("=")
        if name == wanted:
            found = value if equals else "".join(given[i + 1 : i + 2])
    return found


def request(given: "list[str]", text: bytes) -> bytes:
    """An event as the daemon reads it: the number of arguments, the arguments, the project's folder, the event."""
    words = [str(len(given)), *given, os.environ.get("CLAUDE_PROJECT_DIR", "")]
    return b"\0".join([os.fsencode(word) for word in words] + [text])


def address() -> str:
    """The socket of the daemon of this Python, this version of the files, and this environment.

    Its folder is the user's alone: who could put a socket there could allow everything.
    """
    try:  # the parts in C alone: what stands around them takes longer to import than all the rest here
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

    # A package that is installed or removed beside this one, such as the engine, changes the time of their folder.
    named = [f"{sys.executable}\0{sys.version}\0{os.stat(_PACKAGES).st_mtime_ns}"]
    for folder in (_HERE, os.path.join(_PACKAGES, "identity_os_sdk"), os.path.join(_PACKAGES, "identity_os_sdk", "commands")):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name.endswith((".py", ".json")):
                found = entry.stat()
                named.append(f"{entry.path}\0{found.st_mtime_ns}\0{found.st_size}")
    for name, value in sorted(os.environ.items()):
        if name in _ENVIRONMENT or name.startswith(("IDENTITY_OS_", "SSL_")) or name.upper().endswith("_PROXY"):
            named.append(f"{name}={value}")
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - checked below
    folder = os.path.join(base, f"identity-os-{os.getuid()}")
    if len(folder) > 60:  # the address of a socket is short on every system
        folder = f"/tmp/identity-os-{os.getuid()}"  # noqa: S108
    try:  # noqa: SIM105 - contextlib would be one more import
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(folder)
    if found.st_uid != os.getuid() or found.st_mode & 0o170077 != 0o040000:
        raise PermissionError(f"{folder} is not this user's alone")
    name = blake2b("\n".join(named).encode(errors="surrogateescape"), digest_size=12).hexdigest()
    return os.path.join(folder, f"{name}.sock")


def _daemon(given: "list[str]", text: bytes) -> "tuple[int, bytes, bytes]":
    """The daemon's answer. It is started if there is none."""
    import time

    try:
        from _socket import AF_UNIX, SHUT_WR, socket
    except ImportError:
        from socket import AF_UNIX, SHUT_WR, socket  # type: ignore[assignment]

    where, until, started = address(), 0.0, None
    while True:
        line = socket(AF_UNIX)
        line.settimeout(_ANSWER)
        try:
            line.connect(where)
            break
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
            if not until:
                until, started = time.monotonic() + _START, _start(where)
            elif time.monotonic() > until or (started and started.poll()):
                raise
            time.sleep(0.01)
    line.sendall(request(given, text))
    line.shutdown(SHUT_WR)
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    line.close()
    return read_answer(b"".join(parts))


def read_answer(answer: bytes) -> "tuple[int, bytes, bytes]":
    """Exit code, output and errors of an answer; ValueError for one that was cut off."""
    if not answer.endswith(END):
        raise ValueError("the answer was cut off")
    code, output, errors = answer[: -len(END)].split(b"\0")
    return int(code), output, errors


def command(*arguments: str) -> "list[str]":
    """`identity-os-guard hook ...` by this Python, whatever PATH and the current folder are."""
    program = f"import sys; sys.path.append({_PACKAGES!r}); from identity_os_sdk.commands.main import main; sys.exit(main())"
    return [sys.executable, "-I", "-c", program, "hook", *arguments]


def _start(where: str) -> "Popen[bytes]":
    """Start the daemon, which belongs to no session of Claude Code and outlives this process."""
    import subprocess

    nothing = subprocess.DEVNULL
    return subprocess.Popen(  # noqa: S603
        command("--serve", where), stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, cwd="/"
    )


def _alone(given: "list[str]", text: bytes) -> "tuple[int, bytes, bytes]":
    """The answer of a process for this event alone: slower, and the same."""
    import subprocess

    done = subprocess.run(command(*given), input=text, capture_output=True, timeout=_ALONE, check=False)  # noqa: S603
    if done.returncode:
        raise ValueError(done.stderr)
    return 0, done.stdout, done.stderr


if __name__ == "__main__":
    sys.exit(main())

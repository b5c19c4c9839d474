"""Which commands only read: the ones that models write all day, and every way to hide something else in them."""

import shutil
import subprocess

import pytest
from identity_os_sdk.integrations.claude_code.shell import only_reads

READ = [
    "ls",
    "ls -la src | head -5",
    "cat a.py && git status",
    "cd /x && git log --oneline -5",
    "find . -name '*.py' -not -path './x/*' 2>/dev/null",
    'rg -n "foo|bar" src',
    'grep -rn "foo\\|bar(" src',
    "grep -E '^a$|`b`' f",
    "head -n 5 f;",
    "ls || true",
    "git diff HEAD~1 -- a.py",
    "git log -p -3 2>&1 | head",
    "cat 'it'\"'\"'s'",
    'echo "a & b > c"',
]
CHANGE = [
    "",
    "rm x",
    "ls > f",
    "ls>f",
    "ls >| f",
    "echo hi >> f",
    "ls 2>/dev/nullx",
    "ls >/dev/null/../x",
    "ls; rm x",
    "ls\nrm x",
    "ls & rm x",
    "ls |& rm x",
    "ls && rm x",
    "ls ;; rm x",
    "ls #\nrm x",
    "cat x | tee y",
    "sort -o x y",
    "uniq a b",
    "cat `rm x`",
    "echo $(rm x)",
    'echo "$(rm x)"',
    'echo "`rm x`"',
    "echo 'a' \"$(rm b)\" 'c'",
    'echo "it\'s" $(rm x) "it\'s"',
    'echo "a\\"; rm x; echo \\"b"',
    'echo "a\\\\"; rm x; echo "b"',
    "echo \\' ; rm x ; echo \\'",
    "echo $'a\\'b' ; rm x ''",
    "cat <(rm x)",
    "ls *(e:'rm x':)",
    "{ rm x; }",
    "find . -delete",
    'find . "-del"ete',
    "find . -exec rm {} +",
    "find . -fprint x",
    "git push",
    "git -c core.pager=x log",
    "git diff --output=x",
    "git diff --outpu x",
    "git log -p --ext-diff",
    "git grep -Oless x",
    "rg --pre sh x",
    'rg x ";" ls --pre=sh',
    "rg --hostname-bin=x y",
    "FOO=1 ls",
    "env rm x",
    "time ls",
    "! ls",
    "l\\s",
    "echo $X",
    'echo "$X"',
    "ls $X",
    "cat 'a",
    'cat "a',
    "2>&1",
]


@pytest.mark.parametrize("command", READ)
def test_a_command_that_reads(command):
    assert only_reads(command)


@pytest.mark.parametrize("command", CHANGE)
def test_a_command_that_may_change_something(command):
    assert not only_reads(command)


@pytest.mark.skipif(not shutil.which("bash"), reason="the shell that the commands are for")
@pytest.mark.parametrize("command", [command for command in READ if "rg " not in command])
def test_the_shell_takes_it_for_the_same_and_changes_nothing(command, tmp_path):
    """No command of the list leaves a file behind, whether it finds what it looks for or not."""
    for name in ("a.py", "f"):
        (tmp_path / name).write_text("foo\n")
    before = sorted(tmp_path.iterdir())
    subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, timeout=30, check=False)
    assert sorted(tmp_path.iterdir()) == before

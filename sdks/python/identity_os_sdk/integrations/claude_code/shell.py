"""Which shell commands only read? What is not surely of that kind is not.

A command is read as words; nothing is expanded or run. Each part between `|`, `&&`, `||` and `;` must be a program of the lists
below, without an option that writes or runs something. Redirections, substitutions, variables and anything else that a shell
treats specially make it a command that may change something.
"""

import re
import shlex
from collections.abc import Iterator

_PROGRAMS = re.compile(
    "cat|cd|cmp|column|cut|diff|df|du|echo|egrep|fgrep|find|grep|head|id|jq|ls|md5sum|nl|printf|ps|pwd|readlink|realpath|rg|"
    "sha256sum|stat|tail|test|tr|true|uname|wc|which|whoami"
)
_GIT = re.compile("blame|describe|diff|grep|log|ls-files|ls-tree|merge-base|rev-list|rev-parse|shortlog|show|status")
#: Options that make one of them write, or run another program. Looked for in all words, since a quoted `|` looks like a plain
#: one here. Git takes options that are cut short.
_WRITES = re.compile(
    r"-(delete|exec|execdir|ok|okdir|fprint0?|fprintf|fls)|-O.*|--(ou|ext|textc|open).*|--(pre|pre-glob|hostname-bin)(=.*)?"
)
#: What a shell treats specially outside of quotes, and within double quotes. `\|` is nothing special there.
_SPECIAL = re.compile(r"[`\n\r\\(){}<>#!]|\$([({\w@*#?$!-]|$)|(?<!&)&(?!&)")
_SPECIAL_QUOTED = re.compile(r"[`\n\r]|\$[({\w@*#?$!-]|\\[$`\"\\\n]|\\$")
_SEPARATORS = ("|", "||", "&&", ";")
#: Harmless, and in nearly every command that models write.
_TO_NOWHERE = re.compile(r"\s(2>&1|[12]?>\s?/dev/null)(?=\s|$)")


def only_reads(command: str) -> bool:
    """Whether the command surely changes nothing."""
    text = _TO_NOWHERE.sub(" ", command.strip())
    if not text or any((_SPECIAL_QUOTED if quoted else _SPECIAL).search(part) for part, quoted in _unprotected(text)):
        return False
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split, lexer.commenters = True, ""
        words = list(lexer)
    except ValueError:
        return False
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _SEPARATORS:
            parts.append([])
        elif not word.strip("|&;"):
            return False
        else:
            parts[-1].append(word)
    if not parts[-1] and words[-1] == ";":
        parts.pop()
    return not any(_WRITES.fullmatch(word) for word in words) and all(_reads(part) for part in parts)


def _reads(words: list[str]) -> bool:
    if words[:1] == ["git"]:
        return len(words) > 1 and _GIT.fullmatch(words[1]) is not None
    return bool(words) and _PROGRAMS.fullmatch(words[0]) is not None


def _unprotected(text: str) -> Iterator[tuple[str, bool]]:
    """The stretches of the text that are not in single quotes, and whether each is in double quotes."""
    stretch, quote = "", ""
    for i, letter in enumerate(text):
        if letter == quote and not (quote == '"' and text[i - 1] == "\\"):
            if quote == '"':
                yield stretch, True
            stretch, quote = "", ""
        elif not quote and letter in "'\"":
            yield stretch, False
            stretch, quote = "", letter
        else:
            stretch += letter
    # A quote that is not closed: the words cannot be read, which is found there.
    if quote != "'":
        yield stretch, bool(quote)

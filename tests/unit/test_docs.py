"""The documentation points at what exists: links resolve, and every citation of a page names a heading of that page."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from local import template

ROOT = template.ROOT
#: Folders that hold no source: what tools install, build or cache.
BUILT = {"__pycache__", "build", "dist", "node_modules"}
SOURCES = {".md", ".mjs", ".py", ".ts", ".toml", ".yaml", ".yml", "Makefile", "Dockerfile"}
#: Code blocks hold neither links nor headings.
FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
#: docs/api.md, "Envelope" or docs/api.md, "Keys" and "Limits"
CITATION = re.compile(r'docs/(?P<page>[\w/-]+\.md)(?P<sections>,\s\\?"[^"]+"(?:(?:,| and|, and)\s\\?"[^"]+")*)?')
SECTION = re.compile(r'\\?"([^"\\]+)\\?"')
#: A citation may go over the end of a line, of a comment or of a docstring.
LINE_END = re.compile(r"\s*\n\s*(?:#:?|//|\*)?\s*")


def files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in BUILT and (name[0] != "." or name in (".ci", ".github")))
        yield from (Path(folder) / name for name in sorted(names) if Path(name).suffix in SOURCES or name in SOURCES)


def headings(page: Path) -> list[str]:
    return [re.sub(r"[`*]", "", text) for text in HEADING.findall(FENCE.sub("", page.read_text()))]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, hyphens for spaces, numbers for headings that come again."""
    found: list[str] = []
    for heading in headings(page):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return {f"{name}-{found[:at].count(name)}" if name in found[:at] else name for at, name in enumerate(found)}


def bad_links(page: Path, text: str) -> list[str]:
    problems = []
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        where = (page.parent / path).resolve() if path else page
        if not where.exists() or ROOT not in (where, *where.parents):
            problems.append(f"{page.relative_to(ROOT)}: there is no {target}")
        elif anchor and anchor not in anchors(where):
            problems.append(f"{page.relative_to(ROOT)}: {where.name} has no heading for #{anchor}")
    return problems


def bad_citations(source: Path, text: str) -> list[str]:
    problems = []
    for citation in CITATION.finditer(LINE_END.sub(" ", text)):
        page = ROOT / "docs" / citation["page"]
        if not page.exists():
            problems.append(f"{source.relative_to(ROOT)}: there is no docs/{citation['page']}")
            continue
        known = headings(page)
        for section in SECTION.findall(citation["sections"] or ""):
            if section not in known:
                problems.append(f"{source.relative_to(ROOT)}: docs/{citation['page']} has no heading {section!r}")
    return problems


def test_every_link_between_pages_resolves():
    pages = [path for path in files(ROOT) if path.suffix == ".md"]
    assert {"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/README.md"} <= {str(page.relative_to(ROOT)) for page in pages}
    assert [problem for page in pages for problem in bad_links(page, page.read_text())] == []


def test_every_citation_names_a_heading():
    mine = Path(__file__).resolve()
    assert [problem for path in files(ROOT) if path != mine for problem in bad_citations(path, path.read_text())] == []


def test_every_page_is_on_the_map():
    known = set(LINK.findall((ROOT / "docs/README.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - known == {"README.md"}
    index = set(LINK.findall((ROOT / "docs/decisions.md").read_text()))
    assert {f"decisions/{page.name}" for page in (ROOT / "docs/decisions").glob("*.md")} <= index


def test_the_licences_are_one():
    texts = {(ROOT / folder / "LICENSE").read_text() for folder in (".", "sdks/python", "sdks/typescript")}
    assert len(texts) == 1


def test_this_check_can_fail():
    page = ROOT / "README.md"
    assert bad_links(page, "[a](docs/no-such-page.md) and `[b](nothing.md)`") == ["README.md: there is no docs/no-such-page.md"]
    assert bad_links(page, "[a](docs/api.md#envelope)\n```\n[b](nothing.md)\n```") == []
    assert bad_links(page, "[a](docs/api.md#no-such-heading)") == ["README.md: api.md has no heading for #no-such-heading"]
    assert bad_links(page, "[a](../elsewhere.md)") == ["README.md: there is no ../elsewhere.md"]
    assert bad_citations(page, 'Source: docs/api.md, "Audit\n# trail" and "Keys".') == []
    assert bad_citations(page, 'docs/api.md, "No such section"') == ["README.md: docs/api.md has no heading 'No such section'"]
    assert bad_citations(page, 'docs/api.md, "Keys"\n    and "Nothing"') == ["README.md: docs/api.md has no heading 'Nothing'"]
    assert bad_citations(page, "see docs/no-such-page.md") == ["README.md: there is no docs/no-such-page.md"]

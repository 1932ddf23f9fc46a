"""Markdown as sections: front matter, headings and what stands below them (CommonMark 0.31, sections 4.2 to 4.5)."""

import re
from dataclasses import dataclass

from oreline.chunking.splitting import closes

_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+?)[ \t]*$", re.MULTILINE)
_ATX = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_SETEXT = re.compile(r"^ {0,3}(=+|-{2,})[ \t]*$")
_NO_SETEXT_TITLE = re.compile(r"^(?: {4}|\t|\s*(?:[-*+>|#]|\d+[.)]\s|$))")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ANCHOR = re.compile(r"\s*\{#[^{}]*\}\s*$")
_EMPHASIS = re.compile(r"(\*{1,3}|(?<![A-Za-z0-9])_{1,3})(?=\S)(.+?)(?<=\S)\1(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Section:
    """A heading and the text up to the next one.

    `path` holds the headings from the outermost to this one, plain; it is empty before the first heading. `line` is
    the heading as it stands in the source, empty before the first heading; `level` is 1 to 6, or 0.
    """

    path: tuple[str, ...]
    level: int
    line: str
    body: str


@dataclass(frozen=True)
class Page:
    """A markdown document: its title, its front matter as it stands (None if it has none), and the text after it."""

    title: str | None
    front_matter: str | None
    body: str


def parse_page(text: str, name: str | None = None) -> Page:
    """Takes a document apart.

    The title is the front matter's, else the heading that opens the page if no other is as high, else `name` (the
    file's name in words, where that says something), else the heading that opens the page.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT.match(text)
    body = text[front.end() :] if front else text
    title: str | None = None
    if front and (stated := _FRONT_TITLE.search(front.group(2))):
        title = stated.group(1).strip("\"'").strip()
    if not title:
        opening, alone = _opening(body)
        title = opening if alone and opening else name or opening
    return Page(title or None, front.group(2) if front else None, body)


def _opening(body: str) -> tuple[str | None, bool]:
    """Returns the heading before which no text stands, and whether no other is as high."""
    found = [section for section in sections(body) if section.level or section.body.strip()]
    if not found or not found[0].level:
        return None, False
    first = found[0]
    return first.path[-1], all(section.level > first.level for section in found[1:])


def sections(body: str) -> list[Section]:
    """Returns the sections in order; their lines and bodies put together are `body`."""
    lines = body.splitlines(keepends=True)
    found: list[Section] = []
    stack: list[tuple[int, str]] = []
    level, line, held = 0, "", list[str]()
    fence: str | None = None
    index = 0

    def end() -> None:
        if line or held:
            found.append(Section(tuple(name for _, name in stack), level, line, "".join(held)))

    while index < len(lines):
        heading = None
        mark = _FENCE.match(lines[index])
        if fence is not None:
            fence = None if mark and closes(fence, lines[index].strip()) else fence
        elif mark:
            fence = mark.group(1)
        else:
            heading = _heading(lines, index)
        if heading is None:
            held.append(lines[index])
            index += 1
            continue
        end()
        level, name, taken = heading
        stack = [*(each for each in stack if each[0] < level), (level, name)]
        line, held = "".join(lines[index : index + taken]), []
        index += taken
    end()
    return found


def _heading(lines: list[str], index: int) -> tuple[int, str, int] | None:
    """Returns level, plain name and number of lines of a heading that begins at a line, or None."""
    if atx := _ATX.match(lines[index].rstrip("\n")):
        return len(atx.group(1)), plain_heading(atx.group(2) or ""), 1
    if index + 1 < len(lines) and (under := _SETEXT.match(lines[index + 1].rstrip("\n"))):
        alone = index == 0 or not lines[index - 1].strip()
        if alone and not _NO_SETEXT_TITLE.match(lines[index]):
            return (1 if under.group(1)[0] == "=" else 2), plain_heading(lines[index]), 2
    return None


def plain_heading(text: str) -> str:
    """Returns a heading's words: without links, tags, anchors, backticks and emphasis."""
    text = _IMAGE_OR_LINK.sub(r"\1", _ANCHOR.sub("", text))
    text = _EMPHASIS.sub(r"\2", _TAG.sub("", text))
    return " ".join(text.replace("`", "").split()).removesuffix("\u00b6").strip()

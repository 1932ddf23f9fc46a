"""Markdown and text files: one document each, before it is cut into chunks."""

import re
from collections.abc import Iterator

from oreline.chunking.markdown import parse_page
from oreline.chunking.tokens import estimate_tokens
from oreline.sources.columns import metadata_json, reference
from oreline.sources.formats import has_ending, without_endings
from oreline.sources.found import Found, FoundDocument, Place
from oreline.sources.lines import open_plain

_NO_NAMES = frozenset({"", "readme", "index", "untitled", "page", "main"})


def is_markdown(relative: str, form: str) -> bool:
    """Says whether a file is read as markdown: by its ending, else by the source's format."""
    if has_ending(relative, "text"):
        return False
    return has_ending(relative, "markdown") or form == "markdown"


def words_of_name(relative: str) -> str | None:
    """Returns a file's name in words; None for names that say nothing, such as README and index."""
    name = without_endings(relative.rpartition("/")[2])
    words = re.sub(r"[-_\s]+", " ", re.sub(r"^[\d._-]+", "", name)).strip()
    return None if words.casefold() in _NO_NAMES else words


def read_page(place: Place, path: str, form: str) -> Iterator[Found]:
    """Yields the document of a markdown or text file; its own id is its path in the source."""
    with open_plain(path) as file:
        contents = file.read()
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = contents.count(b"\n", 0, error.start) + 1
        detail = f"invalid UTF-8 at line {line}, byte {error.start + 1} of the file ({error.reason})"
        payload = contents[:10_000].decode("utf-8", "backslashreplace")
        yield place.drop("documents", "unreadable", detail, payload)
        return
    title: str | None = None
    metadata: str | None = None
    markdown = is_markdown(place.relative, form)
    if markdown:
        page = parse_page(text, words_of_name(place.relative))
        title, text = page.title, page.body
        metadata = metadata_json({"front_matter": page.front_matter})
    if not text.strip():
        yield place.drop("documents", "empty", "the file holds no text")
        return
    tokens = 0 if place.chunked else estimate_tokens(text)
    if tokens > place.source.max_tokens:
        detail = f"about {tokens:,} tokens, max_tokens is {place.source.max_tokens:,}; switch sources[].chunking on"
        yield place.drop("documents", "too_long", detail, text[:10_000])
        return
    parent = reference(place.source.parent, {}, place.relative)
    document = FoundDocument(
        unit=place.unit,
        source=place.index,
        told=True,
        doc_id=place.own_id(place.relative),
        title=title,
        text=text,
        lang=place.source.lang,
        parent_id=place.own_id(parent) if parent is not None else None,
        group=reference(place.source.group, {}, place.relative),
        metadata=metadata,
        markup=("markdown" if markdown else "plain") if place.chunked else None,
    )
    yield Found(place.unit, documents=(document,))

"""Docstring: the query is what a definition says of itself, its positive the code without it.

After CodeSearchNet (Husain et al. 2019, arXiv 1909.09436, §2), whose pairs are functions with the first paragraph of
their documentation; here code in which the words would still stand gives no pair.
"""

import json
import re
import unicodedata
from typing import cast

from oreline.code.comments import Explained, comment_above, python_docstring
from oreline.code.languages import BY_NAME, Language
from oreline.ids import Json
from oreline.records import Document
from oreline.scripts import one_line, word_count

LEAST_WORDS = 4
MOST_WORDS = 60
LEAST_CODE_LINES = 2
_SECTION = re.compile(
    r"\s*(?::\w|@\w|\\\w|>>>|\.\. |[-*] @|```|"
    r"(?:Args?|Arguments?|Parameters?|Params?|Returns?|Yields?|Raises?|Throws|Examples?|Usage|Notes?|See [Aa]lso|"
    r"Warnings?|Errors?|Panics?|Safety|Attributes?|References?|Todo|TODO|FIXME|Deprecated)\b\s*:?\s*$|"
    r"(?:Args?|Arguments|Parameters|Params|Returns|Yields|Raises|Throws|Examples?|Usage|TODO|FIXME|XXX)\s*:)"
)
_ROLE = re.compile(r":[\w:+.-]+:`~?([^`<]*)(?:\s*<[^>]*>)?`|\{@\w+\s+([^}]*)\}|</?[a-z]+/?>|`+")
_BOILERPLATE = re.compile(
    r"copyright|licen[sc]e|spdx|all rights reserved|auto-?generated|do not edit|eslint|noqa|pragma|type: ignore|"
    r"^(?:see|same as|refer to|wrapper (?:for|around)|alias|inherited|overrides?|todo|fixme|xxx|deprecated|internal|"
    r"initiali[sz]e (?:the )?(?:class|object|instance|self)|constructor|helper (?:function|method))\b",
    re.IGNORECASE,
)
_LEAST_LETTERS = 0.6
_QUOTES = "\"'(“«„"
_ORNAMENT = re.compile(r"[-=*#~_/\\+]{3,}")


def described(document: Document) -> tuple[str, str] | None:
    """Returns what a document of code says of itself, on one line, and the code without it; None if it says too little.

    The first paragraph of a Python docstring, or of the comment above a definition in another language: four to sixty
    words, neither a licence nor a pointer elsewhere; at least two lines of code must be left, and the words must not
    stand in them once more.
    """
    if document.content != "code":
        return None
    found = _explained(document)
    if found is None:
        return None
    query = first_paragraph(found.comment)
    if query is None or sum(bool(line.strip()) for line in found.code.split("\n")) < LEAST_CODE_LINES:
        return None
    return None if query.casefold() in one_line(found.code).casefold() else (query, found.code)


def first_paragraph(comment: str) -> str | None:
    """Returns the first paragraph of a comment that reads as a description, on one line, or None."""
    lines: list[str] = []
    for line in comment.split("\n"):
        bare = _ORNAMENT.sub("", line).strip()
        if _SECTION.match(line) or (not bare and lines):
            break
        if bare:
            lines.append(bare)
    text = one_line(_ROLE.sub(lambda role: role[1] or role[2] or "", " ".join(lines)))
    dense = [sign for sign in text if not sign.isspace()]
    letters = sum(unicodedata.category(sign)[0] in "LM" for sign in dense)
    fits = LEAST_WORDS <= word_count(text) <= MOST_WORDS and letters > _LEAST_LETTERS * len(dense)
    fits = fits and (text[0].isalnum() or text[0] in _QUOTES)
    return text if fits and _BOILERPLATE.search(text) is None else None


def _explained(document: Document) -> Explained | None:
    stated = _metadata(document)
    language = _language(stated)
    if language is None or language.name == "python":
        return python_docstring(document.text)
    return None if stated.get("kind") == "other" else comment_above(document.text, language)


def _metadata(document: Document) -> dict[str, Json]:
    found = json.loads(document.metadata) if document.metadata else {}
    return cast("dict[str, Json]", found) if isinstance(found, dict) else {}


def _language(stated: dict[str, Json]) -> Language | None:
    """Returns the language that a document's metadata states, as the format `code` does and many tables do."""
    name = stated.get("language")
    return BY_NAME.get(name.strip().lower()) if isinstance(name, str) else None

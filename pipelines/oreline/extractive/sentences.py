"""Sentences: cuts a text of any language at its sentence ends, without losing a character."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand
# ruff: noqa: SIM905 - a list of words is best read as words

import re
from collections.abc import Iterator
from dataclasses import dataclass

from oreline.extractive.layout import Kind, blocks

_CLOSING = "\"'”’»›)\\]}」』）】》〉"
_END = re.compile(
    f"(?P<wide>[。！？｡．؟۔।॥։።፧።។၊။]+)[{_CLOSING}]*\\s*|(?P<narrow>(?<![.!?…‽])[.!?…‽]++)[{_CLOSING}]*(?P<space>\\s+)"
)
_ABBREVIATIONS = frozenset(
    # English, German, French, Spanish, Italian, Portuguese, Dutch; without the last full stop, in lower case
    "e.g i.e cf vs al resp approx ca no nos fig figs eq eqs sec ch vol pp ed eds dr mr mrs ms prof st jr sr gen col lt "
    "sgt rev hon gov pres inc ltd co corp dept est z.b d.h u.a s.o s.u v.a bzw bspw ggf evtl usw nr bd abb hrsg sog "
    "inkl p.ex p.ej pág art av sra srta dña vgl dott ing sig bijv o.a jan feb apr jun jul aug sep sept oct nov "
    "dec".split()
)
_LAST_TOKEN = re.compile(r"[^\s(\[{\"'“«]+$")
_INITIAL = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]$")
_ORDINAL = re.compile(r"\d{1,2}$")


@dataclass(frozen=True)
class Sentence:
    """Characters `start` to `end` of a text: a sentence with the white space after it, or a piece that is no prose."""

    start: int
    end: int
    kind: Kind


def sentences(text: str) -> list[Sentence]:
    """Returns the sentences of a text, in order; together they are the whole text.

    A sentence ends at a terminal sign of its script (Latin, CJK, Arabic, Devanagari, Ethiopic, Khmer, Burmese,
    Armenian), at the end of a paragraph, list item or heading, but not after an abbreviation, an initial, an ordinal
    number, or before a small letter. A script without such signs (Thai) has one sentence per paragraph.
    """
    found: list[Sentence] = []
    for block in blocks(text):
        if block.kind == "other":
            found.append(Sentence(block.start, block.end, "other"))
            continue
        start = block.start
        for end in _ends(text, block.start, block.end):
            found.append(Sentence(start, end, "prose"))
            start = end
        if start < block.end:
            found.append(Sentence(start, block.end, "prose"))
    return found


def _ends(text: str, start: int, end: int) -> Iterator[int]:
    for found in _END.finditer(text, start, end):
        if found["wide"] or _is_end(text, found, end):
            yield found.end()


def _is_end(text: str, found: re.Match[str], limit: int) -> bool:
    following = text[found.end() : found.end() + 1] if found.end() < limit else ""
    if following.islower():
        return False
    if found["narrow"] != ".":
        return True
    token = _LAST_TOKEN.search(text, max(0, found.start() - 40), found.start())
    if token is None:
        return True
    word = token.group().casefold()
    return not (word in _ABBREVIATIONS or _INITIAL.match(word) or _ORDINAL.match(word))

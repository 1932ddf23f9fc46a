"""Title: the query is the title, its positive the document without it (pre-fine-tuning pairs of Gemini Embedding)."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand
# ruff: noqa: SIM905 - a list of words is best read as words

import re
import unicodedata

from oreline.normalise import normalise_text
from oreline.scripts import one_line, word_count

LEAST_BODY_WORDS = 5
_LONGER = 8
_READ = 200
_PATH = re.compile(r"\s+(?:>|›|»|::|→|/)\s+")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+(?:\(\))?$")
_WIKI = re.compile(r"[^\W_a-z][^\s.()]*_[^\s.]+$")
_HEADING_MARK = re.compile(r"\s*#{1,6}\s*|\s*=+\s*")
_MARKS = re.compile(r"^#{1,6}\s+|[`*]+|#+$|\[|\](?:\([^)]*\))?|¶")
_ORNAMENT = re.compile(r"^[^\w\"'(<$@#.\-]+|[\s:;,\-–—]+$")
_GENERIC = frozenset(
    "about abstract appendix background chapter conclusion conclusions contents description details document example "
    "examples faq general home index info information intro introduction main misc miscellaneous note notes overview "
    "page part preface readme references remarks section see summary text title todo unknown untitled usage welcome "
    "einleitung einführung inhalt überblick übersicht zusammenfassung hinweise sommaire aperçu résumé contenu "
    "introducción introdução índice resumen resumo contenido descripción visão введение содержание обзор "
    "はじめに 概要 目次 简介 介绍 概述 目录 簡介 概要 مقدمة परिचय none null nan na n/a".split()
)


def title_query(title: str | None) -> str | None:
    """Returns the query that a title makes, or None if it says nothing: empty, one generic word, or no letters.

    `Handbook > Setup > Linux` becomes `Handbook Setup Linux` (generic and repeated steps left out), a qualified name
    `json.decoder.JSONDecoder` its parts, `Super_Bowl_50` words: what a person would type.
    """
    if title is None:
        return None
    plain = _MARKS.sub("", one_line(title))
    if _DOTTED.match(plain):
        return plain.removesuffix("()").replace(".", " ")
    if _WIKI.match(plain) and any(sign.islower() for sign in plain):
        plain = plain.replace("_", " ")
    steps: list[str] = []
    for step in (one_line(each) for each in _PATH.split(plain)):
        if not _is_generic(step) and not any(_folded(step) == _folded(earlier) for earlier in steps):
            steps.append(step)
    query = _ORNAMENT.sub("", one_line(" ".join(steps)))
    return query if sum(sign.isalpha() for sign in query) > 1 else None


def body_without_title(title: str, text: str) -> str | None:
    """Returns the text without a first line that repeats the title or its last step, or None if too little is left."""
    body = text
    first, _, rest = body.lstrip().partition("\n")
    heads = {_folded(title), _folded(_PATH.split(title)[-1])}
    # What is much longer than the title is none; folding whole documents would be most of the work.
    longest = _LONGER * len(title) + _LONGER
    if len(first) <= longest and _folded(_HEADING_MARK.sub("", first)) in heads:
        body = rest.lstrip("\n")
        underline, _, below = body.partition("\n")
        if underline.strip() and not underline.strip().strip("=-~^*"):
            body = below.lstrip("\n")
    if len(body) <= longest and _folded(body) in heads:
        return None
    if word_count(body[:_READ]) < LEAST_BODY_WORDS and word_count(body) < LEAST_BODY_WORDS:
        return None
    return body


def _is_generic(step: str) -> bool:
    bare = _folded(step)
    return not bare or bare in _GENERIC or not any(unicodedata.category(sign)[0] == "L" for sign in bare)


def _folded(text: str) -> str:
    return normalise_text(text, "text")

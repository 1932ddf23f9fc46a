"""The free rules: what is wrong with a written query that anyone can measure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from oreline.filters.languages import code_of, detected, foreign
from oreline.filters.words import count_words, is_unspaced, script_shares, words
from oreline.normalise import normalise_text
from oreline.recipe.settings import Filter
from oreline.records import Content, Query
from oreline.writing.catalog import WRITERS

COPIED_WORDS = 8
"""Words from which a query that stands in its document is a copy."""

_MOST_OF = 0.5
_FEWEST_SIGNS = 6
_FEWEST_WORDS = 4
_FOREIGN_SHARE = 0.1
_FEWEST_QUERY_LETTERS = 3
_FEWEST_DOCUMENT_LETTERS = 20
_SCRIPT_SAMPLE = 4_000


@dataclass(frozen=True)
class Shown:
    """A document that the query's writer was shown."""

    doc_id: str
    title: str | None
    text: str
    lang: str | None
    content: Content

    @cached_property
    def normal(self) -> str:
        """Title and text in the normal form of texts."""
        return normalise_text(f"{self.title or ''}\n{self.text}", "text")

    @cached_property
    def language(self) -> str | None:
        """The language that it is declared to be in, or surely is in; None if neither is known."""
        return code_of(self.lang) if self.lang else detected(f"{self.title or ''}\n{self.text}")

    @cached_property
    def scripts(self) -> dict[str, float]:
        """Shares of the scripts in the first 4,000 characters, largest first; empty for fewer than 20 letters."""
        sample = self.text[:_SCRIPT_SAMPLE]
        return script_shares(sample) if sum(sign.isalpha() for sign in sample) >= _FEWEST_DOCUMENT_LETTERS else {}


@dataclass(frozen=True)
class Finding:
    """Why a query is dropped: the reject reason, what was measured, and the rule (with the document, if one counts)."""

    reason: str
    detail: str
    rule: str


Rule = Callable[[Query, Sequence[Shown], Filter], Finding | None]


def find(query: Query, shown: Sequence[Shown], settings: Filter) -> Finding | None:
    """Returns the first finding of `RULES`, or None; queries of people and `rules: none` are exempt.

    `shown` are the documents of the query's lineage that are at hand.
    """
    if query.origin == "human" or settings.rules == "none":
        return None
    return next((found for rule in RULES if (found := rule(query, shown, settings)) is not None), None)


def too_few_words(query: Query, _: Sequence[Shown], settings: Filter) -> Finding | None:
    """Finds queries with fewer than `min_words` words."""
    number = count_words(query.query)
    if number >= settings.min_words:
        return None
    counted = "1 word" if number == 1 else f"{number} words"
    return Finding("too_few_words", f"{counted}, filter.min_words is {settings.min_words}", "words")


def too_many_words(query: Query, _: Sequence[Shown], settings: Filter) -> Finding | None:
    """Finds queries with more than `max_words` words."""
    number = count_words(query.query)
    if number <= settings.max_words:
        return None
    return Finding("too_many_words", f"{number} words, filter.max_words is {settings.max_words}", "words")


def repeated(query: Query, _: Sequence[Shown], __: Filter) -> Finding | None:
    """Finds queries of which one character (of 6 or more) or one word (of 4 or more) makes up more than half."""
    folded = query.query.casefold()
    for kind, values, fewest in (
        ("character", [sign for sign in folded if not sign.isspace()], _FEWEST_SIGNS),
        ("word", words(query.query), _FEWEST_WORDS),
    ):
        if len(values) < fewest:
            continue
        value, number = min(Counter(values).items(), key=lambda item: (-item[1], item[0]))
        if number > _MOST_OF * len(values):
            detail = f"the {kind} {value!r} is {number} of {len(values)} {kind}s"
            return Finding("repeated_characters", detail, "repeated")
    return None


def other_language(query: Query, shown: Sequence[Shown], settings: Filter) -> Finding | None:
    """Finds queries in another language than their writer was to write: the query's own `lang`, else the documents'.

    By language identification, and where no `lang` says that query and documents are to differ, by script: scripts
    differ if the main script of either makes up less than a tenth of the other's letters. One document in the query's
    language or script is enough. Code says nothing about language, and translation is a task of its own: both are
    exempt. What an extractive writer cuts out is in its document's language, so that only scripts are compared.
    """
    if settings.language == "none":
        return None
    documents = [document for document in shown if document.content == "text"]
    if settings.language == "detect" and query.origin == "synthetic":
        found = _foreign(query, documents)
        if found is not None:
            return found
    if query.task_type == "bitext" or _crosses(query, documents):
        return None
    findings = [_script_finding(query, document) for document in documents]
    return findings[0] if findings and all(findings) else None


def _foreign(query: Query, documents: Sequence[Shown]) -> Finding | None:
    """Finds a query that is surely in none of the languages that it may be in."""
    if query.lang:
        expected = {code_of(query.lang): "the query is to be"}
    elif query.task_type == "bitext":
        return None
    else:
        languages = [(document.language, document.doc_id) for document in documents]
        if not all(language for language, _ in languages):
            return None
        expected = {str(language): f"{doc_id} is" for language, doc_id in languages}
    found = {each: foreign(query.query, each) for each in expected}
    if not found or not all(found.values()):
        return None
    first = next(iter(expected))
    language, probability = found[first] or (first, 0.0)
    detail = f"the query is {language} (probability {probability:.2f}), but {expected[first]} {first}"
    return Finding("other_language", detail, "language")


def _crosses(query: Query, documents: Sequence[Shown]) -> bool:
    """Says whether the query's `lang` is its writer's choice: no document declares it."""
    declared = {code_of(document.lang) for document in documents if document.lang}
    return bool(query.lang) and code_of(query.lang or "") not in declared


def _script_finding(query: Query, document: Shown) -> Finding | None:
    own = script_shares(query.query)
    theirs = document.scripts
    if not own or not theirs or sum(sign.isalpha() for sign in query.query) < _FEWEST_QUERY_LETTERS:
        return None
    mine, other = next(iter(own)), next(iter(theirs))
    if own.get(other, 0.0) >= _FOREIGN_SHARE or theirs.get(mine, 0.0) >= _FOREIGN_SHARE:
        return None
    detail = (
        f"{own[mine]:.0%} of the query's letters are {mine}, "
        f"but {theirs[other]:.0%} of those of {document.doc_id} are {other}"
    )
    return Finding("other_language", detail, "language")


def verbatim_copy(query: Query, shown: Sequence[Shown], _: Filter) -> Finding | None:
    """Finds queries of 8 words or more that stand in a document shown, unless their writer copies by intent."""
    number = count_words(query.query)
    if _may_copy(query) or number < COPIED_WORDS:
        return None
    normal = normalise_text(query.query, "text")
    wanted, edge = (normal, "") if is_unspaced(normal) else (f" {normal} ", " ")
    for document in shown:
        if wanted in f"{edge}{document.normal}{edge}":
            return Finding("verbatim_copy", f"all {number} words stand in this order in {document.doc_id}", "verbatim")
    return None


def _may_copy(query: Query) -> bool:
    writer = WRITERS.get(query.lineage.writer) if query.lineage is not None else None
    return query.origin != "synthetic" if writer is None else writer.copies


RULES: tuple[Rule, ...] = (too_few_words, too_many_words, repeated, other_language, verbatim_copy)
"""The rules in the order in which they are tried."""

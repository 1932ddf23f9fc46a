"""Exclusions: why a document may not be a negative of a query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from oreline import normalise
from oreline.recipe.settings import Select
from oreline.records import Content
from oreline.selection.cases import Case, Passage
from oreline.selection.near_equal import NearEqual
from oreline.selection.positives import Positive
from oreline.selection.verdicts import Verdict

Identity = Literal[
    "positive", "equal_query_positive", "partial", "equal_content", "equal_to_query", "equivalent", "derived"
]
"""What a document is to the query: no setting makes it a negative."""

Rule = Literal[
    "above_ceiling",
    "sibling",
    "unjudged",
    "judged_relevant",
    "judged_partly_relevant",
    "near_equal",
    "repeated",
    "no_document",
]
"""What settings, the judge and the row itself rule out; known negatives are exempt from most of it.

`repeated`: the row has a negative of that content already.
"""

_CONTENTS: tuple[Content, ...] = ("text", "code")


@dataclass(frozen=True)
class Guard:
    """What the query and its positives rule out by identity.

    `contents` are content hashes of positives and of what they were derived from; `originals` what a positive was
    derived from; `groups` hold (dataset, group).
    """

    positives: frozenset[str]
    equal_query_positives: frozenset[str]
    partials: frozenset[str]
    contents: frozenset[str]
    query_texts: frozenset[str]
    groups: frozenset[tuple[str, str]]
    originals: frozenset[str]

    def identity(self, passage: Passage) -> Identity | None:
        """Returns why the passage can never be a negative of the query, or None."""
        if passage.doc_id in self.positives:
            return "positive"
        if passage.doc_id in self.equal_query_positives:
            return "equal_query_positive"
        if passage.doc_id in self.partials:
            return "partial"
        if self._is_derived(passage):
            return "derived"
        return self._likeness(passage)

    def _is_derived(self, passage: Passage) -> bool:
        """Says whether a positive was derived from the passage, or the passage from a positive or its original."""
        if passage.doc_id in self.originals:
            return True
        # Asked of every document of every pool, few of which are derived: the union is seldom needed.
        ours = self.originals | self.positives | self.equal_query_positives if passage.origin == "generated" else ()
        return passage.parent_id in ours

    def _likeness(self, passage: Passage) -> Identity | None:
        if passage.content_hash in self.contents:
            return "equal_content"
        if passage.text_hash in self.query_texts:
            return "equal_to_query"
        equivalent = passage.group is not None and (passage.dataset, passage.group) in self.groups
        return "equivalent" if equivalent else None


def guard_of(case: Case, positives: Iterable[Positive]) -> Guard:
    """Returns what the pairs of the query and of equal queries, and a row's own positives, rule out."""
    labelled = {pair.doc_id for pair in case.pairs if pair.label == "positive"}
    own = frozenset(labelled | {positive.doc_id for positive in positives})
    equal = frozenset(pair.doc_id for pair in case.equal_pairs if pair.label == "positive")
    protected = [passage for doc_id in sorted(own | equal) if (passage := case.passages.get(doc_id)) is not None]
    originals = frozenset(
        passage.parent_id for passage in protected if passage.origin == "generated" and passage.parent_id is not None
    )
    sources = [passage for doc_id in sorted(originals) if (passage := case.passages.get(doc_id)) is not None]
    return Guard(
        positives=own,
        equal_query_positives=equal,
        partials=frozenset(pair.doc_id for pair in (*case.pairs, *case.equal_pairs) if pair.label == "partial"),
        contents=frozenset(passage.content_hash for passage in (*protected, *sources)),
        query_texts=frozenset(normalise.text_hash(case.query.query, content) for content in _CONTENTS),
        groups=frozenset((passage.dataset, passage.group) for passage in protected if passage.group is not None),
        originals=originals,
    )


@dataclass(frozen=True)
class Family:
    """The siblings of a row's positives: other chunks of their parent, the parent itself, and chunks of a positive."""

    parents: frozenset[str]
    members: frozenset[str]

    def holds(self, passage: Passage) -> bool:
        """Says whether the passage is a sibling."""
        return passage.doc_id in self.members or passage.parent_id in self.parents


def family_of(positives: Iterable[Positive], passages: Mapping[str, Passage]) -> Family:
    """Returns the siblings; those of a generated positive are the siblings of what it was derived from, too."""
    parents: set[str] = set()
    members: set[str] = set()
    for positive in positives:
        parents.add(positive.doc_id)
        parent = positive.passage.parent_id
        if parent is None:
            continue
        parents.add(parent)
        members.add(parent)
        original = passages.get(parent)
        if positive.passage.origin == "generated" and original is not None and original.parent_id is not None:
            parents.add(original.parent_id)
            members.add(original.parent_id)
    return Family(frozenset(parents), frozenset(members))


@dataclass(frozen=True)
class Screen:
    """The rules that settings, scores and verdicts put between the pool and a row.

    `ceiling` is in the reference score's unit, None for no limit. `judged` says whether a judge is on.
    """

    settings: Select
    positives: tuple[Positive, ...]
    family: Family
    ceiling: float | None
    judged: bool
    verdicts: Mapping[str, Verdict]
    near_equal: NearEqual

    def free_rule(self, passage: Passage, score: float) -> Rule | None:
        """Returns what rules a document out whatever a judge might say of it, but for near-equality; or None."""
        if self.ceiling is not None and not score < self.ceiling:
            return "above_ceiling"
        if self.settings.siblings != "allow" and self.family.holds(passage):
            verdict = self.verdicts.get(passage.doc_id)
            acquitted = verdict is not None and verdict.relevance == "irrelevant"
            if self.settings.siblings == "exclude" or not acquitted:
                return "sibling"
        return None

    def judged_rule(self, doc_id: str) -> Rule | None:
        """Returns what the judge rules out: documents that it found relevant, or has no verdict on; or None."""
        if not self.judged:
            return None
        return judged_relevant(self.verdicts.get(doc_id)) or (
            None if _has_relevance(self.verdicts.get(doc_id)) else "unjudged"
        )

    def near_equal_rule(self, passage: Passage) -> Rule | None:
        """Returns `near_equal` if the text is nearly that of one of the row's positives; or None."""
        return "near_equal" if any(self.near_equal(passage, each.passage) for each in self.positives) else None


def judged_relevant(verdict: Verdict | None) -> Rule | None:
    """Returns the rule against documents that a judge found relevant or partly relevant; or None."""
    if verdict is None:
        return None
    if verdict.relevance == "relevant":
        return "judged_relevant"
    return "judged_partly_relevant" if verdict.relevance == "partly_relevant" else None


def _has_relevance(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.relevance is not None

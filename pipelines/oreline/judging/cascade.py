"""The cascade: what the strong judge is asked about.

Cheap judge, then strong judge on what it flags: RLHN (arXiv:2505.16967), section 3.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from oreline.judging.cases import Case, Found, stated_verdict
from oreline.recipe.settings import Judge
from oreline.selection.verdicts import GRAVEST_FIRST


def flagged(case: Case, found: Iterable[Found], settings: Judge) -> list[str]:
    """Returns the documents of a case that the strong judge is asked about, by what the others found, in its order.

    Of several scorers' verdicts on a document the most favourable counts, as in select. Flagged are documents that are
    no labelled positive, known negatives among them, and called relevant (with `ask_again: partly` also partly
    relevant), and labelled positives that are called anything else than relevant. One without a verdict is not flagged.
    """
    if settings.cascade is None:
        return []
    said: defaultdict[str, set[str]] = defaultdict(set)
    for each in found:
        verdict = stated_verdict(each, settings)
        if verdict is not None:
            said[each.doc_id].add(verdict)
    combined = {doc_id: next(each for each in GRAVEST_FIRST if each in stated) for doc_id, stated in said.items()}
    positives = set(case.positives)
    return [
        doc_id
        for doc_id in case.doc_ids
        if doc_id in combined
        and (
            combined[doc_id] != "relevant"
            if doc_id in positives
            else _asked_again(combined[doc_id], settings.cascade.ask_again)
        )
    ]


def _asked_again(verdict: str, ask_again: Literal["relevant", "partly"]) -> bool:
    return verdict == "relevant" or (ask_again == "partly" and verdict == "partly_relevant")

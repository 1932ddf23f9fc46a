"""The books of judge: rows, rejects, what the answers cost by scorer, and the verdicts that are stored."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from oreline.job import Job, StageWriter
from oreline.judging.blocks import CROSS_ENCODER, Prepared, keys_of
from oreline.judging.cases import Found, judgements_of
from oreline.judging.kept import Kept, VerdictStore
from oreline.judging.scorers import scorer_named
from oreline.judging.telling import facts
from oreline.llm.requests import Answered
from oreline.records import Reject

METERS = "scorers"
"""The fact that holds what each scorer's answers cost."""

VALUES = "values"
"""The fact that says how a scorer's values came about, by model; see `telling.facts`."""


def write_block(
    job: Job, part: Prepared, found: Sequence[Found], answers: Iterable[Answered], writer: StageWriter
) -> None:
    """Writes what became of a block's units, and stores what was not known before.

    Counts `stored_verdicts`, those that an earlier round had stored, and, as the fact `scorers`, calls, tokens and
    microdollars by scorer: what the answers behind the new verdicts cost, whenever they were paid for.
    """
    found = sorted(found, key=lambda each: each.unit)
    writer.units(each.unit for each in found)
    writer.kept(each.unit for each in found if each.value is not None)
    writer.rows("judgements", judgements_of(found, job.recipe.judge))
    for each in found:
        if each.value is None:
            writer.dropped(each.unit, _reject(each))
    _meter(answers, writer)
    if said := facts(job.recipe):
        writer.fact(VALUES, said)
    new = [each for each in found if (each.query_id, each.doc_id, each.scorer) not in part.known]
    if len(new) < len(found):
        writer.count("stored_verdicts", len(found) - len(new))
    store_verdicts(job, part, [each for each in new if each.scorer != CROSS_ENCODER])  # stored as it was measured


def store_verdicts(job: Job, part: Prepared, found: Iterable[Found]) -> None:
    """Stores what has a value."""
    new = [each for each in found if each.value is not None]
    if not new:
        return
    keys = keys_of(job, part)
    kept = [
        Kept(
            key=keys[each.query_id, each.doc_id, each.scorer],
            value=each.value,
            reason=each.reason,
            model=each.model,
            request_key=each.request_key,
            source=each.source,
        )
        for each in new
        if each.value is not None
    ]
    VerdictStore(job.recipe.cache_folder).write(part.where, kept)


def _reject(found: Found) -> Reject:
    reason, detail = found.reject or "unparsable", found.detail or "no detail was given"
    return Reject(found.unit, "judgements", reason, detail, found.request_key, found.payload)


def _meter(answers: Iterable[Answered], writer: StageWriter) -> None:
    """Adds up the cost of answers by scorer; equal requests of a block are one call."""
    dollars: defaultdict[str, float] = defaultdict(float)
    seen: set[str] = set()
    for answered in answers:
        if answered.answer is None or answered.request.key in seen:
            continue
        seen.add(answered.request.key)
        name = scorer_named(answered.request)
        writer.tally(METERS, name, "calls")
        writer.tally(METERS, name, "tokens", number=answered.answer.billed_tokens)
        dollars[name] += answered.answer.dollars or 0.0
    for name, cost in dollars.items():
        writer.tally(METERS, name, "microdollars", number=round(cost * 1e6))

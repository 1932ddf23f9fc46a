"""Triples printed for a person to judge."""

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from oreline.exporters.examples import Example, with_texts
from oreline.records import Document, Lineage, Query, Triple, TripleNegative, TriplePositive
from oreline.reports.finished import Finished, sample_ids
from oreline.reports.plain import cut, visible, words
from oreline.tables.schema import from_arrow

TEXT_CHARACTERS = 320
"""Characters of a text that a card shows."""


def sample_triples(output: str, number: int, seed: int) -> list[Example]:
    """Returns `number` triples with their texts, drawn by a hash of seed and query_id; fewer if there are fewer.

    Raises BrokenTable if a part is damaged.
    """
    finished = Finished.of(output)
    return drawn_triples(finished, sample_ids(output, "triples", finished.parts("triples"), number, seed))


def drawn_triples(finished: Finished, ids: list[str]) -> list[Example]:
    """Returns the triples of some queries with their texts, in the order of `ids`."""
    triples = from_arrow(Triple, finished.lookup("triples", "query_id", ids))
    place = {each: number for number, each in enumerate(ids)}
    return with_texts(finished, sorted(triples, key=lambda triple: place[triple.query_id]))


def triple_card(example: Example, characters: int = TEXT_CHARACTERS) -> Group:
    """Returns a triple as a person reads it: query, positives, negatives, with titles, texts cut, ranks and scores."""
    triple = example.triple
    lines: list[Text | Padding] = [_head(example.query, triple)]
    for positive, document in zip(triple.positives, example.positives, strict=True):
        lines += _document("+", "green", document, _positive_facts(positive), characters)
    for negative, document in zip(triple.negatives, example.negatives, strict=True):
        lines += _document("-", "red", document, _negative_facts(negative), characters)
    if triple.short is not None:
        lines.append(words(f"  {len(triple.negatives)} negatives only: {_SHORT[triple.short]}", "yellow"))
    return Group(*lines, Text(""))


_SHORT = {
    "corpus": "the corpus has no further document that may be a negative",
    "spare": "mined candidates ran out below the ceiling",
    "judged": "the judge left no further candidate",
}


def _head(query: Query, triple: Triple) -> Text:
    head = words(f"{visible(query.query)}\n", "bold")
    if query.instruction:
        head.append(f"  instruction: {visible(query.instruction)}\n", style="not bold")
    facts = [visible(triple.query_id), query.origin, f"split {visible(triple.split)}", *_writer(triple.lineage)]
    if query.rating is not None:
        facts.append(f"rated {query.rating.grade}")
    head.append("  " + " · ".join(facts), style="not bold dim")
    return head


def _writer(lineage: Lineage | None) -> list[str]:
    if lineage is None:
        return []
    prompt = f" prompt {lineage.prompt_id} v{lineage.prompt_version}" if lineage.prompt_id else ""
    model = f" by {lineage.model}" if lineage.model else ""
    return [visible(f"written by {lineage.writer}{prompt}{model}")]


def _document(sign: str, style: str, document: Document, facts: list[str], characters: int) -> list[Text | Padding]:
    head = words(f"  {sign} ", style)
    head.append(visible(document.title) if document.title else "(no title)", style=style)
    head.append("  " + " · ".join([visible(document.doc_id), *facts]), style="dim")
    return [head, Padding(words(cut(document.text, characters)), (0, 0, 0, 6))]


def _positive_facts(positive: TriplePositive) -> list[str]:
    facts: list[str] = [positive.source]
    if positive.score is not None:
        facts.append(f"score {positive.score:.3f}")
    if positive.grade is not None:
        facts.append(f"grade {positive.grade:g}")
    return facts


def _negative_facts(negative: TripleNegative) -> list[str]:
    facts = ["given as a negative" if negative.miner == "known" else negative.miner]
    if negative.rank is not None:
        facts[0] += f" rank {negative.rank}"
    if negative.score is not None:
        facts.append(f"score {negative.score:.3f}")
    if negative.grade is not None:
        facts.append(f"grade {negative.grade:g}")
    return facts

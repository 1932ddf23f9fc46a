"""Benchmarks on disk for the tests of decontamination, and the stages that read them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from oreline.decontamination.index import Index, build_index
from oreline.decontamination.matching import find_matches
from oreline.recipe.settings import Benchmark, Decontaminate
from oreline.records import Content

PARAGRAPH = (
    "The common swift spends almost its whole life in the air and lands only to breed under the roofs of old "
    "houses, where it returns every year in the first days of May after a flight of nine thousand kilometres"
)
OTHER_PARAGRAPH = (
    "Concrete sets because calcium silicates react with water to needles that grow into each other, which goes on "
    "for weeks, so that a bridge carries its full load only a month after the last truck has been emptied"
)


def beir(
    folder: Path,
    queries: Mapping[str, str],
    corpus: Mapping[str, str | tuple[str, str]],
    qrels: Mapping[str, Sequence[tuple[str, str, float]]],
) -> Path:
    """Writes a BEIR folder: queries and documents by id (a document may be title and text), judgements by split."""
    folder.mkdir(parents=True, exist_ok=True)
    lines(folder / "queries.jsonl", [{"_id": own, "text": text} for own, text in queries.items()])
    rows = [
        {"_id": own, "title": "", "text": each}
        if isinstance(each, str)
        else {"_id": own, "title": each[0], "text": each[1]}
        for own, each in corpus.items()
    ]
    lines(folder / "corpus.jsonl", rows)
    for split, judgements in qrels.items():
        (folder / "qrels").mkdir(exist_ok=True)
        text = "".join(f"{query}\t{document}\t{grade:g}\n" for query, document, grade in judgements)
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + text, encoding="utf-8")
    return folder


def lines(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Writes JSON lines."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def text_file(path: Path, texts: Sequence[str]) -> Path:
    """Writes one text per line."""
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def index_of(settings: Decontaminate, contents: Sequence[Content] = ("text",)) -> Index:
    """Returns the index of some benchmarks."""
    index = build_index(settings, contents)
    assert index is not None
    return index


def matches_of(
    tests: Sequence[str], training: Sequence[str], folder: Path, content: Content = "text", **settings: object
) -> set[tuple[int, int, str]]:
    """Returns (training row, test text, match) for plain texts."""
    against = [Benchmark(path=str(text_file(folder / "tests.txt", tests)))]
    section = Decontaminate.model_validate({"against": against, **settings})
    found = find_matches(index_of(section, (content,)), pa.array(training, pa.string()), content, section)
    return {(each.row, each.text, each.match) for each in found}

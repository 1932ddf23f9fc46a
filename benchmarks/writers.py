"""What each writer writes, and what each switch changes: figures of the queries that are left after the filter.

    PYTHONPATH=pipelines:tests python benchmarks/writers.py DATA/medquad-sample [--sample 60]
    PYTHONPATH=pipelines:tests python benchmarks/writers.py DATA/medquad-sample --model MODEL [--base-url URL]

The corpus (a BEIR folder) gives its documents alone. Without --model a local server answers, which knows no language:
it takes words and sentences of the document. Then the figures of a writer that asks a model say what its prompt and
rules let through, and nothing about a model's queries; those of the writers without a model are what they are. With
--model the same script asks Gemini, or a compatible server.
"""

import argparse
import datetime as dt
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import oreline
from evidence.diversity import Diversity, Written, diversity
from oreline.tables.manifest import read_manifest

from gemini_server import GeminiServer

RESULTS = Path(__file__).parent / "results"
FEW_SHOT = {
    "task": "Given a patient's question, find a passage that answers it.",
    "examples": [
        {"query": "can stress make my eczema worse", "document": "Eczema often flares in times of stress, as ..."},
        {"query": "how long is flu contagious", "document": "People with flu can infect others from a day before ..."},
    ],
}
WRITERS: dict[str, Mapping[str, object]] = {
    "extractive/title": {},
    "extractive/inverse_cloze": {},
    "extractive/keyphrase": {},
    "retrieval/fret": {},
    "retrieval/summarize": {},
    "retrieval/few_shot": {"few_shot": FEW_SHOT, "per_document": 2},
    "retrieval/persona": {},
    "retrieval/multi_hop": {},
    "generated/brainstorm": {"brainstorm": {"rows": 60}},
    "classification/sentiment": {"classification": {"rows": 60}},
}
"""The writers with their settings."""

_MIXED = ("retrieval/fret", "retrieval/summarize", "extractive/title")
_SWITCHED: dict[str, Mapping[str, object]] = {
    "whole": {"filter": {"uniform_tasks": {}}},
    "without rater": {"filter": {"uniform_tasks": {}, "rater": None}},
    "without task sampler": {},
    **{
        f"without {name}": {
            "filter": {"uniform_tasks": {}},
            "synthesize": {"writers": [each for each in _MIXED if each != name]},
        }
        for name in _MIXED
    },
}
"""One recipe with and without rater, writers and task sampler."""


@dataclass(frozen=True)
class Source:
    """Where the texts are, and who is asked."""

    corpus: Path
    sample: int
    llm: Mapping[str, object]
    root: Path


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark, prints its tables and writes them to `benchmarks/results/writers.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="a BEIR folder")
    parser.add_argument("--sample", type=int, default=60, help="documents that are written for")
    parser.add_argument("--model", help="a model to ask; default: the local server")
    parser.add_argument("--base-url", help="the model's address; default: Gemini's")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch, GeminiServer() as server:
        if options.model is None:
            os.environ["GEMINI_API_KEY"] = server.key
            llm: dict[str, object] = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local"}
        else:
            llm = {"model": options.model, **({"base_url": options.base_url} if options.base_url else {})}
        lines = _report(Source(options.corpus, options.sample, llm, Path(scratch)), options.model)
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "writers.md").write_text(text + "\n", encoding="utf-8")


def _report(source: Source, model: str | None) -> list[str]:
    told = "the local server, which knows no language: see the script's first lines" if model is None else model
    lines = [f"# What the writers write: {source.corpus.name}", "", f"{source.sample} documents; asked: {told}.", ""]
    lines += ["## Each writer alone", "", *_HEAD]
    for name, settings in WRITERS.items():
        lines.append(_measured(source, name, {"synthesize": {"writers": [name], **settings}}))
    lines += ["", f"## {', '.join(_MIXED)} together, and what each switch changes", "", *_HEAD]
    for name, sections in _SWITCHED.items():
        lines.append(_measured(source, name, {"synthesize": {"writers": list(_MIXED)}, **sections}))
    circumstances = (
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, oreline {oreline.__version__}."
    )
    return [*lines, "", circumstances]


_HEAD = (
    (
        "| | queries written | left | words: mean | spread | distinct-1 | distinct-2 | overlap with the document | "
        "copied | tasks |"
    ),
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --- |",
)


def _measured(source: Source, name: str, sections: Mapping[str, object]) -> str:
    """Runs the line up to the filter and returns a row of the table."""
    output = source.root / name.replace("/", "-").replace(" ", "-")
    synthesize = {"sample": source.sample, **_section(sections, "synthesize")}
    recipe: dict[str, object] = {
        "output": str(output),
        "cache": str(source.root / "cache"),
        "sources": [{"path": str(source.corpus / "corpus.jsonl"), "dataset": "corpus", "parent": r"^(.*)_p\d+$"}],
        "llm": dict(source.llm),
        "filter": _section(sections, "filter"),
        "synthesize": synthesize,
    }
    oreline.run(recipe, until="filter")
    synthesized = read_manifest(str(output), "synthesize")
    written = 0 if synthesized is None else synthesized.rows("queries")
    return _line(name, written, diversity(_written(output)))


def _section(sections: Mapping[str, object], name: str) -> dict[str, object]:
    found = sections.get(name, {})
    return dict(found) if isinstance(found, Mapping) else {}


def _written(output: Path) -> list[Written]:
    documents = oreline.read(str(output / "synthesize" / "documents")).select("doc_id", "title", "text").collect()
    texts = {doc_id: f"{title or ''} {text}" for doc_id, title, text in documents.iter_rows()}
    queries = oreline.read(str(output / "filter" / "queries")).sort("query_hash").collect()
    return [
        Written(
            row["query"],
            " ".join(texts[each] for each in row["lineage"]["doc_ids"] if each in texts),
            row["task_type"],
        )
        for row in queries.iter_rows(named=True)
        if row["lineage"] is not None
    ]


def _line(name: str, written: int, found: Diversity) -> str:
    tasks = ", ".join(f"{task} {number}" for task, number in found.tasks.items())
    one, two = found.distinct
    return (
        f"| {name} | {written:,} | {found.queries:,} | {found.length:.1f} | {found.spread:.1f} | {one:.2f} | "
        f"{two:.2f} | {found.overlap:.2f} | {found.copied:.0%} | {tasks} |"
    )


if __name__ == "__main__":
    main(sys.argv[1:])

"""One worker's export: reads triples by block, hands them to the formats, keeps the books."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from oreline.errors import BrokenTable
from oreline.exporters import jsonl, sentence_transformers
from oreline.exporters.examples import Example, examples
from oreline.exporters.texts import PLAIN, Texts
from oreline.heartbeat import Heartbeat
from oreline.ids import canonical_json
from oreline.job import Job, Report, StageWriter
from oreline.records import Reject
from oreline.tables.parts import Part
from oreline.tables.reading import RowGroup


class Exporter(Protocol):
    """What writes one format."""

    def add(self, example: Example) -> str | None:
        """Takes an example; returns a sentence on why the format cannot hold it, or None if it does."""

    def close(self) -> Iterator[Part]:
        """Finishes all files and yields their manifest entries."""


def exporters(job: Job, texts: Texts) -> dict[str, Exporter]:
    """Returns the recipe's formats by name; `texts` are the strings of formats that hold only strings."""
    settings = job.recipe.export
    made: dict[str, Exporter] = {}
    for name in settings.formats:
        if name == sentence_transformers.NAME:
            width = job.recipe.select.negatives
            made[name] = sentence_transformers.SentenceTransformers(job.output, settings, width, texts)
        else:
            made[name] = jsonl.Jsonl(job.output, texts if settings.prefixes else None, settings.class_rows)
    return made


class Exporting:
    """Exports row groups of triples into the recipe's formats.

    A triple is kept if any format holds it, and dropped if none does. Each format that cannot hold it leaves a
    reject that names the format.
    """

    def __init__(self, job: Job, texts: Texts = PLAIN) -> None:
        self._job = job
        self._writer = StageWriter(job)
        self._heartbeat = Heartbeat(job)
        self._exporters = exporters(job, texts)
        self._stopped = False
        self._failure: str | None = None

    def add(self, reference: RowGroup) -> None:
        """Exports a row group of triples; does nothing once a stop was asked for or a text is missing."""
        try:
            if self._stopped or self._failure:
                return
            for block in examples(self._job, reference):
                for example in block:
                    self._export(example)
                self._heartbeat.add(len(block))
                if self._job.stop_requested():
                    self._stopped = True
                    return
        except BrokenTable as error:
            self._failure = str(error)

    def close(self) -> Report:
        """Finishes all files and returns the report."""
        parts = tuple(part for exporter in self._exporters.values() for part in exporter.close())
        self._heartbeat.flush()
        if self._failure:
            report = self._writer.close(failure="missing_text", message=self._failure)
        elif self._stopped:
            report = self._writer.close(stopped="interrupted", message="export was interrupted")
        else:
            report = self._writer.close()
        return replace(report, parts=report.parts + parts)

    def _export(self, example: Example) -> None:
        unit = example.triple.query_id
        problems = [found for each in self._exporters.values() if (found := each.add(example)) is not None]
        rejects = [_reject(example, problem) for problem in problems]
        if len(problems) < len(self._exporters):
            self._writer.kept([unit])
            for reject in rejects:
                self._writer.reject(reject)
            return
        self._writer.dropped(unit, rejects[0])
        for reject in rejects[1:]:
            self._writer.reject(reject)


def _reject(example: Example, problem: str) -> Reject:
    name = problem.partition(":")[0]
    payload = canonical_json(jsonl.object_of(example, None)).decode()
    return Reject(example.triple.query_id, f"train/{name}", "format_cannot_hold", problem, name, payload)

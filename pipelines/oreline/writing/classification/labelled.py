"""Labelled sets as contrastive rows, without a model: texts of one class are each other's positives.

Gecko (arXiv 2403.20327, section 3.3, on classification data): for an input, the positive is another of its label and
the negative one of any other label.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from oreline import ids, prompting
from oreline.ids import Json, canonical_json, seeded_fraction, unit_hash
from oreline.job import Job
from oreline.llm.requests import Request
from oreline.normalise import query_hash
from oreline.recipe.settings import Labelled, Llm, Recipe
from oreline.records import Document, Lineage, Pair, Query
from oreline.scripts import one_line
from oreline.writing.chain import Answers
from oreline.writing.classification.rows import no_fellow
from oreline.writing.work import Work, Written

Classes = Mapping[str, Sequence[tuple[str, str]]]
"""Some (doc_id, text_hash) of each class of a dataset."""


@dataclass(frozen=True)
class LabelledChain:
    """A writer without calls: each document with a group becomes a query, shown with texts of its class and others."""

    name: str
    settings: Labelled
    _read: list[dict[str, Classes]] = field(default_factory=list, init=False, compare=False, repr=False)

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """None: no model is called."""
        return ()

    @property
    def calls(self) -> tuple[float, ...]:
        """None."""
        return (0.0,)

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields nothing."""
        del llm, work, before
        yield from ()

    def usable(self, request: Request, text: str) -> bool:
        """Is never asked, as there are no requests."""
        del request, text
        return False

    def works(self, job: Job, documents: Sequence[Document]) -> Iterator[Work]:
        """Yields a work per document; before the first, the classes of all documents are read.

        A dataset without classes is left to other writers where another one has them.
        """
        if not self._read:
            blocks = job.iterate("documents", ["doc_id", "dataset", "group", "text_hash"])
            self._read.append(read_members(blocks, self.settings.members))
        classes = self._read[0]
        own = (each for each in documents if not classes or each.dataset in classes)
        yield from (Work(self.name, each.doc_id, (each,)) for each in own)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the query of a document of `works` with its pairs, or the reject of one that has no fellow."""
        del answered
        (document,) = work.documents
        if document.group is None:
            detail = "the document has no class; sources[].columns.label names the column that holds it"
            return Written(rejects=(no_fellow(work, detail),))
        positives, negatives = self._fellows(document, document.group)
        if not positives:
            return Written(rejects=(no_fellow(work, f"no other text of its dataset has the class {document.group!r}"),))
        query = self._query(document)
        pairs = [
            *(Pair(query.query_id, doc_id, "positive", "class") for doc_id in positives),
            *(Pair(query.query_id, doc_id, "negative", "class") for doc_id in negatives),
        ]
        return Written((query,), tuple(pairs))

    def _query(self, document: Document) -> Query:
        text = one_line(f"{document.title} {document.text}" if document.title else document.text)
        settings: dict[str, Json] = {"seed": self.settings.seed}
        return Query(
            query_id=ids.written_query_id(document.dataset, [self.name, None, [document.doc_id], settings, 0, 0]),
            dataset=document.dataset,
            query=text,
            query_hash=query_hash(text),
            task_type="classification",
            instruction=self.settings.instruction,
            lang=document.lang,
            origin="human",
            group=document.group,
            lineage=Lineage(
                writer=self.name,
                doc_ids=[document.doc_id],
                attempt=0,
                place=0,
                drawn=canonical_json({"label": document.group, **settings}).decode(),
            ),
        )

    def _fellows(self, document: Document, label: str) -> tuple[list[str], list[str]]:
        """Returns the ids of texts of its class and of others, none with its own text, drawn by hash."""
        classes = self._read[0].get(document.dataset, {})
        positives: list[str] = []
        while len(positives) < self.settings.positives:
            found = self._draw(document, classes[label], "same", positives)
            if found is None:
                break
            positives.append(found)
        others = [each for each in classes if each != label]
        negatives: list[str] = []
        # The class is drawn before the text: a large class is no likelier a negative than a small one.
        while others and len(negatives) < self.settings.negatives:
            drawn = seeded_fraction(self.settings.seed, "class", document.doc_id, str(len(negatives)), str(len(others)))
            other = others[int(drawn * len(others))]
            found = self._draw(document, classes[other], "other", negatives)
            if found is None:
                others.remove(other)
            else:
                negatives.append(found)
        return positives, negatives

    def _draw(
        self, document: Document, members: Sequence[tuple[str, str]], role: str, taken: Sequence[str]
    ) -> str | None:
        """Returns the first member from a drawn place on that is not taken and has another text, or None."""
        start = seeded_fraction(self.settings.seed, role, document.doc_id, str(len(taken)))
        for step in range(len(members)):
            doc_id, text_hash = members[(int(start * len(members)) + step) % len(members)]
            if text_hash != document.text_hash and doc_id not in taken:
                return doc_id
        return None


def labelled(name: str, recipe: Recipe) -> LabelledChain:
    """Returns the writer of a recipe."""
    return LabelledChain(name, recipe.synthesize.labelled)


def read_members(blocks: Iterable[pa.Table], most: int) -> dict[str, Classes]:
    """Returns, by dataset and class, the texts with the smallest hashes of their ids, at most `most` of a class.

    Which they are depends on no order of rows; memory is that of `most` ids per class.
    """
    heaps: dict[str, dict[str, list[tuple[int, str, str]]]] = {}
    for block in blocks:
        named = block.filter(pc.is_valid(block.column("group")))
        columns = (named.column(name).to_pylist() for name in ("doc_id", "dataset", "group", "text_hash"))
        for doc_id, dataset, group, text_hash in zip(*columns, strict=True):
            heap = heaps.setdefault(dataset, {}).setdefault(group, [])
            entry = (-unit_hash(doc_id), doc_id, text_hash)
            if len(heap) < most:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)
    return {
        dataset: {
            group: [(doc_id, text_hash) for _, doc_id, text_hash in sorted(heap, reverse=True)]
            for group, heap in sorted(classes.items())
        }
        for dataset, classes in heaps.items()
    }

"""Mining where a file of candidates is the reference: its scores and ranks are the only ones there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.job import Job, StageWriter
from oreline.search.candidates import candidates
from oreline.search.corpus import Corpus, ShardReference, column_of
from oreline.search.hits import Hits, among, in_shard
from oreline.search.imported.lists import Entries, entries_of, proposal_of
from oreline.search.labels import labelled
from oreline.search.places import ceilings, positives_ahead
from oreline.search.questions import QUERY_COLUMNS, Asked, Questions
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Ranked, Targets, best_of
from oreline.search.tags import TagIndex

Bools = npt.NDArray[np.bool_]


def mine_by_file(  # noqa: PLR0917 - a block of queries with all that it meets
    job: Job,
    rows: pa.Table,
    runs: pa.Table,
    shards: Sequence[ShardReference],
    datasets: Sequence[str],
    writer: StageWriter,
) -> pa.Table:
    """Returns the candidates of a block of queries (`QUERY_COLUMNS`) from what files hold of them.

    Scores and ranks are those of `mine.reference`. A positive that its file does not hold has neither. A document that
    only another file holds is left out, and counted. A query's rank counts the searched documents of the file.
    """
    settings = job.recipe.mine
    listed = sorted(zip(*(rows.column(name).to_pylist() for name in QUERY_COLUMNS), strict=True))
    ids = [row[0] for row in listed]
    told = labelled(job, listed)
    named = told.labels.named(ids)
    corpus = Corpus(shards, [doc_id for _, doc_id, _ in named], 0)
    entries = entries_of(runs, ids, corpus, datasets, writer, [(row, doc_id) for row, doc_id, _ in named])
    table = _Scores.of(entries.get(settings.reference), corpus)
    asked, targets, unknown = _asked(named, corpus, table)
    searched = corpus.holds(pa.array(asked.doc_ids, pa.string()))
    ranks = 1 + table.ahead(targets) - positives_ahead(asked, targets, searched)
    left_out, siblings = TagIndex(told.left_out), TagIndex(told.siblings)
    lists = {
        miner: _hits(miner, entries[miner], table, corpus, left_out, settings.top_k, writer)
        for miner in settings.miners
        if miner in entries
    }
    limits = ceilings(asked, len(ids), settings)
    spare = _spare(entries.get(settings.reference), table, corpus, (left_out, siblings), limits, settings.spare)
    empty = np.empty((len(ids), 0), np.float16)
    texts = [row[2] for row in listed]
    questions = Questions(ids, empty, asked, told.left_out, told.siblings, unknown, texts)
    writer.count("labelled_documents_without_score", unknown)
    return candidates(questions, corpus, targets.order, ranks, lists, spare)


@dataclass(frozen=True)
class _Scores:
    """The reference file's scores, by query and document, in the order of ranks; `searched` says what takes a rank."""

    queries: Int64
    order: Int64
    scores: Float64
    searched: Bools

    @classmethod
    def of(cls, entries: Entries | None, corpus: Corpus) -> "_Scores":
        """Returns the entries that have scores, sorted by (query, -score, order)."""
        if entries is None:
            none = np.empty(0, np.int64)
            return cls(none, none, np.empty(0), np.empty(0, np.bool_))
        scored = entries.take(np.flatnonzero(~np.isnan(entries.scores)))
        sorting = np.lexsort((scored.order, -scored.scores, scored.queries))
        order = scored.order[sorting]
        return cls(scored.queries[sorting], order, scored.scores[sorting], corpus.holds(corpus.ids_of(order)))

    def places(self, queries: Int64, order: Int64) -> Int64:
        """Returns where (query, document) stands, -1 for one that the file does not hold with a score."""
        if len(self.queries) == 0:
            return np.full(len(queries), -1, np.int64)
        width = 1 + int(max(self.order.max(), order.max(initial=0)))
        keys = self.queries * width + self.order
        sorting = np.argsort(keys)
        wanted = queries * width + order
        places = sorting[np.minimum(np.searchsorted(keys, wanted, sorter=sorting), len(keys) - 1)]
        return np.where(keys[places] == wanted, places, -1)

    def ahead(self, targets: Targets) -> Int64:
        """Returns how many searched documents stand ahead of each target, all of which the file holds."""
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.searched, dtype=np.int64)])
        first = np.searchsorted(self.queries, targets.queries)
        ahead: Int64 = before[self.places(targets.queries, targets.order)] - before[first]
        return ahead


def _asked(named: Iterable[tuple[int, str, bool]], corpus: Corpus, table: _Scores) -> tuple[Asked, Targets, int]:
    """Returns the labelled documents that the reference file scores, and how many it does not."""
    listed = list(named)
    queries = np.array([row for row, _, _ in listed], np.int64)
    order = corpus.known(pa.array([doc_id for _, doc_id, _ in listed], pa.string()))
    places = table.places(queries, order)
    known = np.flatnonzero(places >= 0)
    scores = table.scores[places[known]]
    positive = np.array([each for _, _, each in listed], np.bool_)[known]
    asked = Asked(queries[known], [listed[place][1] for place in known.tolist()], scores, positive)
    return asked, Targets(queries[known], scores, order[known]), len(listed) - len(known)


def _open(entries: Entries, corpus: Corpus, *tags: TagIndex) -> Bools:
    """Says which entries are searched, and left out by none of the tags of their queries; a positive is not open."""
    found = np.zeros(len(entries.queries), np.bool_)
    ranked = Ranked(entries.queries, entries.order, entries.scores)
    for path, order in corpus.files():
        places, rows = in_shard(ranked, order, np.argsort(order))
        carried = column_of(path, "tags")
        kept = np.ones(len(places), np.bool_)
        for each in tags:
            kept &= ~among(entries.queries[places], rows, each.match(carried), max(1, len(order)))
        found[places] = kept
    return found & ~entries.positive


def _hits(  # noqa: PLR0917 - a miner's entries and what they meet
    miner: str, entries: Entries, table: _Scores, corpus: Corpus, left_out: TagIndex, k: int, writer: StageWriter
) -> Hits:
    """Returns each query's best `k` by one file, of those that the reference file scores."""
    proposal = proposal_of(miner, entries, writer)
    candidates = entries.take(np.flatnonzero(~entries.positive))
    places = table.places(candidates.queries, candidates.order)
    open_ = _open(candidates, corpus, left_out)
    writer.tally("runs", miner, "positives_or_equal_to_them", number=int((~open_).sum()))
    writer.tally("runs", miner, "without_reference_score", number=int((open_ & (places < 0)).sum()))
    chosen = np.flatnonzero(open_ & (places >= 0))
    ranked = Ranked(candidates.queries[chosen], candidates.order[chosen], proposal.ranked.scores[chosen])
    best = best_of(ranked, k)
    kept = Ranked(ranked.queries[best], ranked.order[best], ranked.scores[best])
    scored = None if proposal.scored is None else proposal.scored[chosen][best]
    return Hits(kept, table.scores[places[chosen]][best], scored)


def _spare(  # noqa: PLR0917 - the reference's entries and what they meet
    entries: Entries | None,
    table: _Scores,
    corpus: Corpus,
    tags: tuple[TagIndex, TagIndex],
    limits: Float64,
    number: int,
) -> Ranked:
    """Returns each query's best below its ceiling that are no siblings of its positives."""
    if entries is None:
        return Ranked(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    entries = entries.take(np.flatnonzero(_open(entries, corpus, *tags)))
    places = table.places(entries.queries, entries.order)
    chosen = np.flatnonzero((places >= 0) & (entries.scores < limits[entries.queries]))
    ranked = Ranked(entries.queries[chosen], entries.order[chosen], entries.scores[chosen])
    best = best_of(ranked, number)
    return Ranked(ranked.queries[best], ranked.order[best], ranked.scores[best])

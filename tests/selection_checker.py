"""Restates the design's invariants of selection from the raw tables; calls nothing of `oreline.selection`."""

import hashlib
import json
from collections.abc import Sequence

from oreline.normalise import normalise_query, normalise_text
from oreline.recipe.settings import Recipe
from oreline.records import Document, Judgement, Query, Reject, Triple, TripleNegative
from selection_worlds import World, restated_ceiling


class Checker:
    """Checks the outcome of one query of a world; every method asserts, with the rule as message."""

    def __init__(self, world: World, recipe: Recipe, query: Query) -> None:
        self.world, self.recipe, self.select, self.query = world, recipe, recipe.select, query
        self.documents = {document.doc_id: document for document in world.documents}
        self.candidate = next((each for each in world.candidates if each.query_id == query.query_id), None)
        excepted = query.dataset in recipe.select.false_negatives.except_datasets
        self.judged = world.judgements is not None and recipe.select.negatives > 0 and not excepted
        self.positives = self._labelled([query], "positive")
        equal = [
            other
            for other in world.queries
            if other.query_id != query.query_id
            and other.dataset == query.dataset
            and normalise_query(other.query) == normalise_query(query.query)
        ]
        self.elsewhere = self._labelled(equal, "positive")
        if self.judged:
            ids = {other.query_id for other in equal}
            found = (each for each in world.judgements or () if each.query_id in ids and each.verdict == "relevant")
            self.elsewhere |= {each.doc_id for each in found}
        self.partials = self._labelled([query, *equal], "partial")
        self.known = self._labelled([query], "negative")

    def _labelled(self, queries: Sequence[Query], label: str) -> set[str]:
        ids = {query.query_id for query in queries}
        return {pair.doc_id for pair in self.world.pairs if pair.query_id in ids and pair.label == label}

    def judgement(self, doc_id: str) -> Judgement | None:
        """The graded judgement of a document."""
        if not self.judged or self.world.judgements is None:
            return None
        key = (self.query.query_id, doc_id, "listwise")
        return next((each for each in self.world.judgements if (each.query_id, each.doc_id, each.scorer) == key), None)

    def relevance(self, doc_id: str) -> str | None:
        """What the judge says."""
        found = self.judgement(doc_id)
        return found.verdict if found else None

    def score(self, doc_id: str) -> float:
        """The reference score."""
        return self.world.scores[self.query.query_id, doc_id]

    def never(self, document: Document, row: Sequence[str]) -> str | None:  # noqa: PLR0911 - one return per rule
        """Why a document can be no negative under any setting, if the row's positives are `row`."""
        own = self.positives | set(row)
        every = [self.documents[doc_id] for doc_id in own | self.elsewhere if doc_id in self.documents]
        sources = {each.parent_id for each in every if each.origin == "generated"}
        alike = [*every, *(self.documents[doc_id] for doc_id in sources if doc_id in self.documents)]
        text = normalise_text(document.text, document.content)
        if document.doc_id in own | self.elsewhere:
            return "a positive of the query or of an equal query"
        if document.doc_id in self.partials:
            return "a partial pair"
        if any(_content(document) == _content(each) for each in alike):
            return "equal content with a positive"
        if text == normalise_text(self.query.query, document.content):
            return "equal to the query"
        if document.group and any((document.dataset, document.group) == (each.dataset, each.group) for each in every):
            return "an equivalent of a positive"
        if document.doc_id in sources:
            return "what a positive was derived from"
        if document.origin == "generated" and document.parent_id in sources | own | self.elsewhere:
            return "derived from a positive or from its original"
        return None

    def ruled_out(  # noqa: PLR0911 - one return per rule
        self, document: Document, row: Sequence[str], *, judge: bool = True
    ) -> str | None:
        """Why a document is not eligible for the window."""
        positives = [self.documents[doc_id] for doc_id in row]
        reason = self.never(document, row)
        if reason:
            return reason
        limit = restated_ceiling(self.select.ceiling, min(self.score(doc_id) for doc_id in row))
        if limit is not None and self.score(document.doc_id) >= limit:
            return "above the ceiling"
        relevance = self.relevance(document.doc_id)
        sibling = any(self._siblings(document, positive) for positive in positives)
        if sibling and self.select.siblings == "exclude":
            return "a sibling"
        if sibling and self.select.siblings == "judge" and relevance != "irrelevant":
            return "a sibling that no judge acquitted"
        if judge and self.judged and relevance != "irrelevant":
            return f"judged {relevance}"
        threshold = self.select.near_equal
        if threshold is not None and any(_jaccard(document, positive) >= threshold for positive in positives):
            return "near-equal to a positive"
        return None

    def _siblings(self, document: Document, positive: Document) -> bool:
        if positive.doc_id == document.parent_id or document.doc_id == positive.parent_id:
            return True
        parents = {positive.parent_id}
        original = self.documents.get(positive.parent_id or "")
        if positive.origin == "generated" and original is not None:
            parents.add(original.parent_id)
        parents.discard(None)
        return document.parent_id in parents or document.doc_id in parents

    def eligible(self, row: Sequence[str], taken: Sequence[str], *, judge: bool = True) -> list[str]:
        """The pool's eligible documents, by eligible rank."""
        return self._unrepeated(self._passing(row, taken, judge=judge), taken)

    def _passing(self, row: Sequence[str], taken: Sequence[str], *, judge: bool) -> list[str]:
        assert self.candidate is not None
        found = [
            entry.doc_id
            for entry in self.candidate.pool
            if entry.doc_id not in taken and not self.ruled_out(self.documents[entry.doc_id], row, judge=judge)
        ]
        return sorted(found, key=lambda doc_id: (-self.score(doc_id), doc_id))

    def _unrepeated(self, doc_ids: Sequence[str], taken: Sequence[str]) -> list[str]:
        """The documents but those whose content one before them has, or one that was taken."""
        before = [_content(self.documents[doc_id]) for doc_id in taken]
        kept = []
        for doc_id in doc_ids:
            if (content := _content(self.documents[doc_id])) not in before:
                kept.append(doc_id)
                before.append(content)
        return kept

    def check(self, triple: Triple | None, reject: Reject | None) -> None:
        """Checks whatever became of the query."""
        assert (triple is None) != (reject is None), "one fate per query"
        if reject is not None:
            self._check_reject(reject)
        elif triple is not None:
            self._check_positives(triple)
            if self.select.negatives == 0:
                assert (triple.negatives, triple.short) == ([], None), "pairs only"
            else:
                self._check_known(triple)
                self._check_mined(triple)
                self._check_completeness(triple)

    def _there(self) -> list[str]:
        return sorted(doc_id for doc_id in self.positives if doc_id in self.documents)

    def _policy(self) -> str:
        return str(getattr(self.select.relabel, self.query.origin))

    def _runners(self) -> list[str]:
        """Documents that relabelling may make a positive: judged relevant, not barred."""
        if self.candidate is None:
            return []
        there = self._there()
        seen = {entry.doc_id for entry in self.candidate.pool} - self.known
        if self.select.false_negatives.given:
            seen |= self.known & set(self.documents)
        return [
            doc_id
            for doc_id in sorted(seen)
            if self.relevance(doc_id) == "relevant" and not self.never(self.documents[doc_id], there)
        ]

    def _final(self) -> set[str]:
        """The positives after relabelling by `add` or `keep` and the grade gate; for `best` the check is apart."""
        added = set(self._runners()) if self._policy() == "add" else set()
        return {doc_id for doc_id in {*self._there(), *added} if self._grade(doc_id) >= self._least()}

    def _grade(self, doc_id: str) -> float:
        found = self.judgement(doc_id)
        return found.value if found else 9.0

    def _below_grade(self, doc_ids: Sequence[str]) -> list[str]:
        return [doc_id for doc_id in doc_ids if self._policy() == "add" and self._grade(doc_id) < self._least()]

    def _least(self) -> int:
        return self.select.gates.positive_grade

    def _check_positives(self, triple: Triple) -> None:
        row = [positive.doc_id for positive in triple.positives]
        assert row, "a row has a positive"
        if self.select.negatives:
            settings, further = self.select.false_negatives, self._further(row)
            assert settings.most is None or len(further) <= settings.most, "too many false negatives drop the row"
            if settings.action == "drop_row":
                assert set(further) <= {*row, *self._below_grade(further)}, "one that is left out drops the row"
        assert len(set(row)) == len(row), "a positive stands once"
        for positive in triple.positives:
            document = self.documents[positive.doc_id]
            assert positive.content_hash == document.content_hash
            assert self.select.negatives == 0 or positive.score == self.score(positive.doc_id)
            assert self._grade(positive.doc_id) >= self._least(), "a positive passes the grade gate"
            if positive.source == "relabel":
                assert positive.doc_id in self._runners(), "only relevant documents that nothing bars are relabelled"
                assert self._policy() != "keep", "keep means keep"
            else:
                assert positive.doc_id in self.positives, "a labelled positive stands in the pairs"
        seen = [doc_id for doc_id in self._there() if self.relevance(doc_id) == "relevant"]
        contest = [*seen, *self._runners()]
        if self.select.negatives and self._policy() == "best" and contest:
            assert len(row) == 1, "best leaves one positive"
            if not any(each.scorer == "likelihood" for each in self.world.judgements or ()):
                assert self._grade(row[0]) == max(map(self._grade, contest)), "the best-judged document wins"
                ties = [doc_id for doc_id in seen if self._grade(doc_id) == self._grade(row[0])]
                assert not ties or row[0] in ties, "on equal grades a labelled positive stays"
        elif self.select.negatives:
            assert set(row) == self._final(), "every positive that passes is in the row"
        else:
            assert set(row) == set(self._there())
        if self.select.negatives and self.select.gates.round_trip.action == "drop" and self.world.careful:
            assert self._best_rank(row) <= self.select.gates.round_trip.rank, "the best positive is found again"

    def _best_rank(self, row: Sequence[str]) -> int:
        searched = [
            each.doc_id for each in self.world.documents if each.searchable and each.dataset == self.query.dataset
        ]
        pool = self.candidate.pool if self.candidate else []
        known = {each.doc_id for each in pool if any(hit.miner == "dense" for hit in each.hits)}
        ranks = []
        for doc_id in row:
            key = (-self.score(doc_id), doc_id)
            ahead = [each for each in searched if each not in row and (-self.score(each), each) < key]
            ranks.append(1 + len(ahead) if doc_id in self.positives or doc_id in known else 1)
        return min(ranks)

    def _check_known(self, triple: Triple) -> None:
        row = [positive.doc_id for positive in triple.positives]
        valid = [
            doc_id
            for doc_id in self.known
            if doc_id in self.documents
            and not self.never(self.documents[doc_id], row)
            and self.relevance(doc_id) in (None, "irrelevant")
        ]
        valid.sort(key=lambda doc_id: (-self.score(doc_id), doc_id))
        wanted = valid[: self.select.negatives]
        found = [negative.doc_id for negative in triple.negatives if negative.miner == "known"]
        assert found == wanted, "known negatives come first, best score first"
        assert [negative.doc_id for negative in triple.negatives[: len(found)]] == found

    def _check_mined(self, triple: Triple) -> None:
        assert self.candidate is not None
        row = [positive.doc_id for positive in triple.positives]
        pool = {entry.doc_id: entry for entry in self.candidate.pool}
        ids = [negative.doc_id for negative in triple.negatives]
        assert len(ids) <= self.select.negatives
        if self.select.per_miner is None or self.select.per_miner.duplicates == "drop":
            assert len(set(ids)) == len(ids), "a negative stands once"
            known = [each.doc_id for each in triple.negatives if each.miner == "known"]
            assert self._unrepeated(ids[len(known) :], known) == ids[len(known) :], "and so does what it says"
        for negative in triple.negatives:
            document = self.documents[negative.doc_id]
            assert negative.content_hash == document.content_hash
            assert not self.never(document, row), self.never(document, row)
            if negative.miner != "known":
                assert negative.doc_id in pool
                assert negative.score == self.score(negative.doc_id)
                assert not self.ruled_out(document, row), self.ruled_out(document, row)
                self._check_origin(negative)

    def _check_origin(self, negative: TripleNegative) -> None:
        assert self.candidate is not None
        entry = next(entry for entry in self.candidate.pool if entry.doc_id == negative.doc_id)
        hits: list[tuple[str, int | None]] = [(hit.miner, hit.rank) for hit in entry.hits]
        hits = hits or [("spare", None)]
        assert (negative.miner, negative.rank) in (hits if self.select.per_miner else hits[:1])
        graded = self.judgement(negative.doc_id)
        assert negative.grade == (graded.value if graded else None)

    def _check_completeness(self, triple: Triple) -> None:
        row = [positive.doc_id for positive in triple.positives]
        known = [negative.doc_id for negative in triple.negatives if negative.miner == "known"]
        mined = [negative.doc_id for negative in triple.negatives if negative.miner != "known"]
        needed = self.select.negatives - len(known)
        if self.select.per_miner is None:
            eligible = self.eligible(row, known)
            first, last = self.select.window
            window = eligible[first - 1 : last]
            assert len(mined) == min(needed, len(window)), "a row is complete if enough documents are eligible"
            assert set(mined) <= set(window), "mined negatives stand in the window"
            assert mined == self._picked(window, needed), "the pick is the recipe's"
        else:
            assert mined == self._of_each_miner(row, known, needed), "each miner gives one in turn"
        assert (triple.short is not None) == (len(mined) < needed), "a short row says so, a full one does not"
        if triple.short is not None:
            self._check_cause(triple.short, row, known, needed)

    def _lists(self, row: list[str], known: list[str], *, judge: bool = True) -> list[list[str]]:
        """The eligible documents of each miner's list; spare ones end the reference miner's."""
        assert self.candidate is not None
        eligible = self._passing(row, known, judge=judge)
        lists = []
        for miner in ("dense", "bm25"):
            ranks = {each.doc_id: hit.rank for each in self.candidate.pool for hit in each.hits if hit.miner == miner}
            lists.append(sorted((each for each in eligible if each in ranks), key=ranks.__getitem__))
        found = {each.doc_id for each in self.candidate.pool if each.hits}
        lists[0] += [each for each in eligible if each not in found]
        return [self._unrepeated(each, known) for each in lists]

    def _of_each_miner(self, row: list[str], known: list[str], needed: int, *, judge: bool = True) -> list[str]:
        first, last = self.select.window
        assert self.select.per_miner is not None
        queues = []
        for listed in self._lists(row, known, judge=judge):
            window = listed[first - 1 : last]
            order = (
                sorted(window, key=self._draw) if self.select.pick == "random" else self._picked(window, len(window))
            )
            queues.append(order)
        picked: list[str] = []
        while len(picked) < needed and any(queues):
            for queue in queues:
                if self.select.per_miner.duplicates == "drop":
                    queue[:] = self._unrepeated(queue, picked)
                if queue and len(picked) < needed:
                    picked.append(queue.pop(0))
        return picked

    def _picked(self, window: list[str], needed: int) -> list[str]:
        match self.select.pick:
            case "hardest":
                return window[:needed]
            case "random":
                keys = {doc_id: self._draw(doc_id) for doc_id in window}
                drawn = sorted(window, key=keys.__getitem__)[:needed]
                return [doc_id for doc_id in window if doc_id in drawn]
            case "lowest_ranked":
                if not self.judged:
                    return sorted(window, key=lambda each: (self.score(each), each))[:needed]
                if any(each.scorer == "likelihood" for each in self.world.judgements or ()):
                    fused = self._fused()
                    return sorted(window, key=lambda each: (fused[each], self.score(each), each))[:needed]
                return sorted(window, key=lambda each: (self._grade(each), self.score(each), each))[:needed]

    def _draw(self, doc_id: str) -> str:
        parts = [self.recipe.seed, self.query.query_id, doc_id]
        return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()

    def _fused(self) -> dict[str, float]:
        fused: dict[str, float] = {}
        for scorer in ("likelihood", "listwise"):
            values = {
                each.doc_id: each.value
                for each in self.world.judgements or ()
                if each.query_id == self.query.query_id and each.scorer == scorer
            }
            for doc_id, value in values.items():
                better = sum(1 for other in values.values() if other > value)
                equal = sum(1 for other in values.values() if other == value)
                fused[doc_id] = fused.get(doc_id, 0.0) + 1 / (60 + better + (equal + 1) / 2)
        return fused

    def _check_cause(self, short: str, row: list[str], known: list[str], needed: int) -> None:
        first, last = self.select.window
        assert self.candidate is not None

        def places(documents: Sequence[str]) -> int:
            return len(documents[first - 1 : last])

        if self.select.per_miner is None:
            without_judge = places(self.eligible(row, known, judge=False))
        else:
            without_judge = len(self._of_each_miner(row, known, needed, judge=False))
        assert (short == "judged") == (self.judged and without_judge >= needed), "judged: the judge took them"
        if short == "corpus":
            pool = {entry.doc_id for entry in self.candidate.pool}
            beyond = [
                document.doc_id
                for document in self.world.documents
                if document.searchable
                and document.dataset == self.query.dataset
                and document.doc_id not in pool
                and document.doc_id not in known
                and not self.ruled_out(document, row, judge=False)
            ]
            assert not beyond, "corpus: no eligible document stands outside the pool"
        if short == "spare":
            found = sum(1 for entry in self.candidate.pool for hit in entry.hits if hit.miner == "dense")
            lists = self._lists(row, known) if self.select.per_miner else [self.eligible(row, known)]
            window_is_full = any(len(each) >= last for each in lists)
            assert found >= self.recipe.mine.top_k or window_is_full, "spare: mining did not reach the whole corpus"

    def _further(self, row: Sequence[str]) -> list[str]:
        """Documents found relevant that no pair calls positive, but for the one that `best` took."""
        best = row if self._policy() == "best" else []
        return [doc_id for doc_id in self._runners() if doc_id not in best]

    def _check_reject(self, reject: Reject) -> None:
        there = self._there()
        assert (reject.reason == "no_positive") == (not there)
        assert (reject.reason == "not_mined") == (bool(there) and self.candidate is None)
        match reject.reason:
            case "failed_round_trip":
                assert self.select.gates.round_trip.action == "drop"
                if self._policy() == "keep" and self.world.careful:
                    assert self._best_rank(sorted(self._final())) > self.select.gates.round_trip.rank
            case "low_grade":
                relevant = [*self._there(), *self._runners()]
                assert any(self._grade(doc_id) < self._least() for doc_id in relevant)
                assert self._policy() == "best" or not self._final()
            case "no_relevant_passage":
                assert self._policy() == "best"
                assert not self._runners()
                assert not [doc_id for doc_id in there if self.relevance(doc_id) in ("relevant", None)]
            case "false_negatives":
                settings, runners = self.select.false_negatives, self._runners()
                labelled = any(self.relevance(doc_id) == "relevant" for doc_id in there)
                number = len(runners) - (self._policy() == "best" and not labelled)
                assert number, "no row goes for false negatives that nobody found"
                many = settings.most is not None and number > settings.most
                assert many or (settings.action == "drop_row" and self._policy() != "add")
            case "short_row":
                assert self.select.shortage == "drop"
            case reason:
                assert reason in ("no_positive", "not_mined")


def _content(document: Document) -> tuple[str, str]:
    return normalise_text(document.title or "", document.content), normalise_text(document.text, document.content)


def _jaccard(one: Document, other: Document) -> float:
    first, second = (normalise_text(each.text, each.content).split() for each in (one, other))
    if len(first) < 5 or len(second) < 5:
        return float(normalise_text(one.text, one.content) == normalise_text(other.text, other.content))
    grams = [{tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (first, second)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])

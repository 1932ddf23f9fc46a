"""The scorer cross_encoder: a tiny model on disk, and a reranking server in both of its protocols."""

import math
from pathlib import Path

import pytest
from sentence_transformers import CrossEncoder as Model
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from judge_house import CEILING, INPUTS, docstrings, gemini, judged, judgements_in, recipe_of, world
from oreline.commit import read_outcome
from oreline.errors import CallError
from oreline.judging.cross_encoder import LocalCrossEncoder, Scores, Unscored, identity
from oreline.judging.reranking import RerankingServer as Client
from oreline.judging.reranking import address_of, answer_in
from oreline.judging.shown import judged_documents
from oreline.judging.texts import shown_document
from oreline.recipe.settings import CrossEncoder
from oreline.records import Reject
from reranking_server import RerankingServer, overlap

from gemini_server import GeminiServer
from house import rows_of, run_stage

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *["what", "does", "do", "the", "a", "of", "return", "list", "string", "file", "value", "path"],
]


def tiny(folder: Path, labels: int = 1) -> str:
    """Saves a cross-encoder with random weights, the same in every run, and returns its folder."""
    import torch

    torch.manual_seed(7)
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers types it not
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=64,
    )  # fmt: skip
    config = BertConfig(  # type: ignore[call-arg]  # it hands num_labels on to what it is derived from
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, num_labels=labels,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return str(folder)


def pairs_of(queries: int) -> set[tuple[str, str]]:
    made = world(queries, docstrings())
    return {(each.query_id, doc_id) for each in made[2] for doc_id in judged_documents(each, 6, 4, CEILING)}


def texts() -> dict[str, str]:
    return {each.doc_id: shown_document(each.title, each.text) for each in docstrings()}


def test_a_model_on_disk_scores_every_pair_without_an_llm(tmp_path: Path) -> None:
    model = tiny(tmp_path / "model")
    section = {"model": model, "relevant_from": 0.52, "partly_from": 0.5}
    recipe = recipe_of(tmp_path / "out", None, scorers=["cross_encoder"], cross_encoder=section)
    made = world(6, docstrings())
    manifest = judged(recipe, docstrings(), made)
    found = judgements_in(tmp_path / "out")
    assert {key[:2] for key in found} == pairs_of(6)
    assert {key[2] for key in found} == {"cross_encoder"}
    assert manifest.books.kept.count == len(found)
    queries, shown, direct = {each.query_id: each.query for each in made[0]}, texts(), Model(model)
    for (query_id, doc_id, _), each in found.items():
        (expected,) = direct.predict([(queries[query_id], shown[doc_id])])
        assert each.value == pytest.approx(float(expected), abs=1e-5)
        assert 0.0 < each.value < 1.0, "the model's own configuration asks for a sigmoid"
        wanted = "relevant" if each.value >= 0.52 else "partly_relevant" if each.value >= 0.5 else "irrelevant"
        assert (each.verdict, each.reason, each.request_key, each.model) == (wanted, None, None, model)


def test_raw_scores_are_the_models_logits_and_without_thresholds_there_is_no_verdict(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    model = tiny(tmp_path / "model")
    rows = {}
    for scores in ("model", "raw"):
        out = tmp_path / scores
        section = {"model": model, "scores": scores}
        recipe = recipe_of(out, gemini(gemini_server), scorers=["listwise", "cross_encoder"], cross_encoder=section)
        judged(recipe, docstrings(), world(2, docstrings()))
        rows[scores] = {key: each for key, each in judgements_in(out).items() if key[2] == "cross_encoder"}
    assert {each.verdict for found in rows.values() for each in found.values()} == {None}
    for key, each in rows["raw"].items():
        assert 1 / (1 + math.exp(-each.value)) == pytest.approx(rows["model"][key].value, abs=1e-5)


@pytest.mark.parametrize("options", [("--direct_runner_bundle_repeat=1",), ()])
def test_scores_are_computed_once_and_are_the_same_again(tmp_path: Path, options: tuple[str, ...]) -> None:
    section = {"model": tiny(tmp_path / "model"), "relevant_from": 0.5}
    manifests = []
    for name in ("one", "two"):
        recipe = recipe_of(tmp_path / name, None, tmp_path / "cache", scorers=["cross_encoder"], cross_encoder=section)
        manifests.append(judged(recipe, docstrings(), world(4, docstrings()), *options))
    first, second = manifests
    assert first.digest("judgements") == second.digest("judgements")
    assert second.counts["stored_verdicts"] == second.books.kept.count
    assert len(list((tmp_path / "cache" / "verdicts").rglob("*.parquet"))) == 1


def test_another_checkpoint_or_setting_has_another_identity(tmp_path: Path) -> None:
    one = CrossEncoder(model=tiny(tmp_path / "one"))
    again = CrossEncoder(model=tiny(tmp_path / "again"))
    other = CrossEncoder(model=tiny(tmp_path / "other", labels=2))
    assert identity(one) == identity(again)
    changes: list[dict[str, object]] = [
        {"scores": "raw"}, {"with_instruction": True}, {"max_tokens": 16}, {"precision": "bfloat16"},
    ]  # fmt: skip
    changed = [identity(one.model_copy(update=each)) for each in changes]
    assert len({identity(one), identity(other), *changed}) == 2 + len(changes)
    assert identity(one.model_copy(update={"device": "cpu", "relevant_from": 0.3})) == identity(one)


def test_a_model_that_does_not_rank_and_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="gives 3 scores per pair"):
        LocalCrossEncoder(CrossEncoder(model=tiny(tmp_path / "three", labels=3)), 1)
    with pytest.raises(CallError, match=r"^judge\.cross_encoder\.model: there is no folder ./nowhere"):
        identity(CrossEncoder(model="./nowhere"))


def test_a_long_text_is_cut_at_the_models_limit(tmp_path: Path) -> None:
    scorer = LocalCrossEncoder(CrossEncoder(model=tiny(tmp_path / "model")), 1)
    long = "the file path " * 200
    found = scorer.score("what does list do", [long, long + "value", "value"])
    assert found.values[0] == found.values[1] != found.values[2]


@pytest.mark.parametrize("protocol", ["rerank", "tei"])
def test_a_server_scores_every_pair_in_calls_of_a_batch(tmp_path: Path, protocol: str) -> None:
    with RerankingServer(protocol) as server:
        section = {"model": "reranker", "server": server.url, "protocol": protocol, "relevant_from": 0.5, "batch": 5}
        recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=section)
        made = world(6, docstrings())
        manifest = judged(recipe, docstrings(), made)
        found, shown = judgements_in(tmp_path), texts()
        queries = {each.query_id: each.query for each in made[0]}
        assert {key[:2] for key in found} == pairs_of(6)
        assert all(each.value == overlap(queries[key[0]], shown[key[1]]) for key, each in found.items())
        assert all(each.verdict == ("relevant" if each.value >= 0.5 else "irrelevant") for each in found.values())
        assert max(len(body["texts" if protocol == "tei" else "documents"]) for body in server.bodies) == 5  # type: ignore[arg-type]  # lists
        meters = manifest.facts["scorers"]
        assert isinstance(meters, dict)
        tokens = 0 if protocol == "tei" else 10 * len(found)
        assert meters["cross_encoder"] == {"calls": len(server.bodies), "tokens": tokens}


def test_a_server_is_asked_about_no_pair_twice(tmp_path: Path) -> None:
    with RerankingServer() as server:
        section = {"model": "reranker", "server": server.url, "relevant_from": 0.5}
        for name in ("one", "two"):
            recipe = recipe_of(
                tmp_path / name, None, tmp_path / "cache", scorers=["cross_encoder"], cross_encoder=section
            )
            judged(recipe, docstrings(), world(5, docstrings()), "--direct_runner_bundle_repeat=1")
        assert len(server.scored) == len(set(server.scored)) == len(pairs_of(5))


def test_the_instruction_stands_before_the_query_where_the_model_wants_it(tmp_path: Path) -> None:
    with RerankingServer() as server:
        section = {"model": "reranker", "server": server.url, "relevant_from": 0.5, "with_instruction": True}
        recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=section)
        judged(recipe, docstrings(), world(2, docstrings()))
        asked = {query for query, _ in server.scored}
        assert any(each.startswith("Find documentation.\nwhat does ") for each in asked)
        assert all("\nwhat does " in each for each in asked)


def test_passing_faults_are_waited_out_and_a_document_that_is_not_taken_is_dropped_alone(tmp_path: Path) -> None:
    documents = docstrings()
    with RerankingServer(
        faults=[429, 503, 500], refuses=shown_document(documents[2].title, documents[2].text)
    ) as server:
        section = {"model": "reranker", "server": server.url, "relevant_from": 0.5, "concurrency": 1}
        recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=section)
        manifest = judged(recipe, documents, world(3, documents))
        rejects = rows_of(tmp_path, "judge", "rejects", Reject)
        dropped = {pair for pair in pairs_of(3) if pair[1] == documents[2].doc_id}
        assert {each.row_id for each in rejects} == {f"{query}\t{doc}\tcross_encoder" for query, doc in dropped}
        assert {each.reason for each in rejects} == {"not_taken"}
        assert {key[:2] for key in judgements_in(tmp_path)} == pairs_of(3) - dropped
        assert manifest.books.balanced
        assert not server.faults


def test_a_server_that_is_not_there_fails_the_stage_by_name_and_what_was_scored_is_kept(tmp_path: Path) -> None:
    documents, made = docstrings(), world(3, docstrings())
    section = {"model": "reranker", "relevant_from": 0.5, "call_attempts": 1, "server": "http://127.0.0.1:9"}
    recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=section)
    with pytest.raises(pytest.fail.Exception):
        judged(recipe, documents, made)
    outcome = read_outcome(str(tmp_path), "judge")
    assert outcome is not None
    assert outcome.failure == "cross_encoder"
    assert "http://127.0.0.1:9/v1/rerank gave no answer in 1 attempts" in outcome.message
    with RerankingServer() as server:
        judge = recipe.judge.model_copy(
            update={"cross_encoder": CrossEncoder.model_validate({**section, "server": server.url})}
        )
        run_stage(recipe.model_copy(update={"judge": judge}), "judge", INPUTS)
        assert len(server.scored) == len(pairs_of(3))


def test_what_a_server_scored_before_it_failed_is_not_asked_again(tmp_path: Path) -> None:
    documents, made = docstrings(), world(6, docstrings())
    section = {"model": "reranker", "relevant_from": 0.5, "call_attempts": 1, "concurrency": 2}
    with RerankingServer() as server:
        server.breaks_at = 4
        served = {**section, "server": server.url}
        recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=served)
        with pytest.raises(pytest.fail.Exception):
            judged(recipe, documents, made)
        assert 0 < len(server.scored) < len(pairs_of(6))
        server.breaks_at = None
        run_stage(recipe, "judge", INPUTS)
        assert len(server.scored) == len(set(server.scored)) == len(pairs_of(6))


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ({"key": "secret-key-123"}, r"wants another key \(401 .*\); set judge.cross_encoder.key_variable"),
        ({"protocol": "tei"}, r"answers 404 .*; see the address, and whether judge.cross_encoder.protocol is rerank"),
        ({"garbled": "<html>"}, "the answer is no JSON"),
        ({"garbled": '{"results": [{"index": 0, "relevance_score": 1}]}'}, "the answer scores 1 of 2 documents"),
    ],
    ids=["key", "path", "no JSON", "too few"],
)
def test_a_server_that_answers_wrongly_is_told_apart(setup: dict[str, str], message: str) -> None:
    with RerankingServer(**setup) as server:  # type: ignore[arg-type]  # all of them are texts
        client = Client(CrossEncoder(model="m", server=server.url, call_attempts=1))
        with pytest.raises(CallError, match=message):
            client.score("what", ["one", "two"])


def test_the_key_comes_from_its_variable_and_shows_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_KEY", "secret-key-123")
    with RerankingServer(key="secret-key-123") as server:
        settings = CrossEncoder(model="m", server=server.url, key_variable="RERANK_KEY")
        assert Client(settings).score("one", ["one two", "three"]) == Scores([1.0, 0.0], 1, 20)
        monkeypatch.setenv("RERANK_KEY", "wrong-key-456")
        with pytest.raises(CallError) as caught:
            Client(settings).score("one", ["two"])
        assert "wrong-key-456" not in str(caught.value)
        assert "see the key in RERANK_KEY" in str(caught.value)


@pytest.mark.parametrize(
    ("server", "protocol", "address"),
    [
        ("http://h:8000", "rerank", "http://h:8000/v1/rerank"),
        ("http://h:8000/", "rerank", "http://h:8000/v1/rerank"),
        ("https://h/v2", "rerank", "https://h/v2/rerank"),
        ("https://h/api/rerank", "rerank", "https://h/api/rerank"),
        ("http://h:8080", "tei", "http://h:8080/rerank"),
    ],
)
def test_the_path_that_an_address_leaves_out_is_added(server: str, protocol: str, address: str) -> None:
    settings = CrossEncoder.model_validate({"model": "m", "server": server, "protocol": protocol})
    assert address_of(settings) == address


def test_answers_are_read_by_place_whichever_list_they_stand_in() -> None:
    assert answer_in(b'[{"index": 1, "score": 0.25}, {"index": 0, "score": -3}]', 2).scores == [-3.0, 0.25]
    assert answer_in(b'{"data": [{"index": 0, "relevance_score": 2}]}', 1).scores == [2.0]
    for wrong in (b'{"results": [{"index": 0, "relevance_score": NaN}]}', b"{}", b'[{"index": 0}]', b"[1]"):
        with pytest.raises(CallError):
            answer_in(wrong, 1)


def test_a_score_that_is_no_number_is_none() -> None:
    from oreline.judging import cross_encoder

    assert cross_encoder._finite(float("nan")) == Unscored("not_scored", "the model's score is nan")

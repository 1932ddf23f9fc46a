"""Encoders behind an API, asked over the real wire by the real clients."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from embedding_wire import vector_of
from openai_server import OpenAiServer
from oreline.encoders.opening import open_encoder
from oreline.encoders.prefixes import prefixes_of
from oreline.encoders.protocol import Float16, TextEncoder
from oreline.encoders.rendering import document_input, query_input
from oreline.encoders.units import unit_float16
from oreline.recipe.settings import Encoder

from gemini_server import GeminiServer

KEY = "AIza-of-the-vectors-77"
TEXTS = [f"text number {number} about gland {number % 7}" for number in range(150)]


def never() -> bool:
    return False


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("SERVER_KEY", KEY)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)


@pytest.fixture
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer(key=KEY) as server:
        yield server


@pytest.fixture
def compatible() -> Iterator[OpenAiServer]:
    with OpenAiServer(key=KEY) as server:
        yield server


def gemini_settings(server: GeminiServer, **keys: object) -> Encoder:
    return Encoder.model_validate(
        {"provider": "gemini", "model": "gemini-embedding-001", "base_url": server.url, "server": "local", **keys}
    )


def server_settings(server: OpenAiServer, **keys: object) -> Encoder:
    own = {"model": "own/model", "base_url": server.url, "server": "tei", "key_variable": "SERVER_KEY"}
    return Encoder.model_validate({"provider": "openai", "dimension": 384, **own, **keys})


def encoded(encoder: TextEncoder, texts: Sequence[str], stop: Callable[[], bool] = never) -> dict[int, Float16]:
    keys = [f"{number:064x}" for number in range(len(texts))]
    found: dict[int, Float16] = {}
    for places, vectors in encoder.encode(texts, keys, stop):
        assert not set(places) & set(found)
        found.update(zip(places, vectors, strict=True))
    return found


def documents(settings: Encoder, texts: Sequence[str]) -> list[str]:
    return [document_input(prefixes_of(settings), f"d/{place}", None, text) for place, text in enumerate(texts)]


def test_every_text_gets_its_own_vector_and_is_sent_once(gemini: GeminiServer) -> None:
    settings = gemini_settings(gemini)
    found = encoded(open_encoder(settings, 1), documents(settings, TEXTS))
    assert gemini.embeddings.answered == dict.fromkeys(TEXTS, 1)
    assert max(gemini.embeddings.sizes) == 64
    for place, text in enumerate(TEXTS):
        wanted = unit_float16(vector_of(f"{text}RETRIEVAL_DOCUMENT", 3072)[None])[0]
        np.testing.assert_array_equal(found[place], wanted)


def test_a_task_is_sent_as_task_type_and_no_text_holds_it(gemini: GeminiServer) -> None:
    settings = gemini_settings(gemini)
    prefixes = prefixes_of(settings)
    inputs = [
        query_input(prefixes, "q/1", "which gland?", "question_answering", None),
        query_input(prefixes, "q/2", "which gland?", "retrieval", None),
        query_input(prefixes, "q/3", "which gland?", "code_retrieval", None),
        query_input(prefixes, "q/4", "which gland?", "sentence_similarity", None),
        document_input(prefixes, "d/1", "Title", "which gland?"),
    ]
    assert inputs[3] == inputs[1], "its documents have RETRIEVAL_DOCUMENT, which SEMANTIC_SIMILARITY does not go with"
    inputs.pop(3)
    assert len(set(inputs)) == 4
    vectors = encoded(open_encoder(settings, 1), inputs)
    assert dict(gemini.embeddings.tasks) == dict.fromkeys(
        ("QUESTION_ANSWERING", "RETRIEVAL_QUERY", "CODE_RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"), 1
    )
    assert gemini.embeddings.answered == {"which gland?": 3, "Title\nwhich gland?": 1}
    assert not np.array_equal(vectors[0], vectors[1])


def test_the_second_gemini_model_takes_prefixes_and_no_task(gemini: GeminiServer) -> None:
    settings = gemini_settings(gemini, model="gemini-embedding-2")
    prefixes = prefixes_of(settings)
    inputs = [
        query_input(prefixes, "q/1", "which gland?", "fact_checking", None),
        document_input(prefixes, "d/1", None, "The thyroid."),
    ]
    assert len(encoded(open_encoder(settings, 1), inputs)) == 2
    assert set(gemini.embeddings.answered) == {
        "task: fact checking | query: which gland?",
        "title: none | text: The thyroid.",
    }
    assert dict(gemini.embeddings.tasks) == {"": 2}
    alike = query_input(prefixes, "q/2", "which gland?", "classification", None)
    assert alike == "task: search result | query: which gland?", "documents have another prefix than classification"


def test_shorter_vectors_are_asked_for_and_made_unit_vectors_again(gemini: GeminiServer) -> None:
    settings = gemini_settings(gemini, dimension=256)
    encoder = open_encoder(settings, 1)
    found = encoded(encoder, documents(settings, TEXTS[:3]))
    assert encoder.identity.dimension == 256
    assert {len(vector) for vector in found.values()} == {256}
    lengths = [np.linalg.norm(vector.astype(np.float64)) for vector in found.values()]
    np.testing.assert_allclose(lengths, 1.0, atol=2e-3)
    whole = open_encoder(gemini_settings(gemini), 1).identity
    assert whole.digest != encoder.identity.digest


def test_vertex_ai_is_asked_for_one_text_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(key="not asked for") as server:
        file = server.accounts.service_account(tmp_path, server.url)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        settings = gemini_settings(server, project=server.project, location="europe-west4")
        assert len(encoded(open_encoder(settings, 1), documents(settings, TEXTS[:5]))) == 5
        assert server.embeddings.sizes == [1] * 5


@pytest.mark.parametrize("packs", [True, False])
def test_a_compatible_server_is_asked_in_batches_that_it_takes(compatible: OpenAiServer, *, packs: bool) -> None:
    compatible.packs = packs
    settings = server_settings(compatible)
    found = encoded(open_encoder(settings, 1), TEXTS)
    assert compatible.embeddings.answered == dict.fromkeys(TEXTS, 1)
    assert max(compatible.embeddings.sizes) == 32
    for place, text in enumerate(TEXTS):
        np.testing.assert_array_equal(found[place], unit_float16(vector_of(text, 384)[None])[0])


def test_a_server_that_does_not_cut_is_cut_here(compatible: OpenAiServer) -> None:
    settings = server_settings(compatible, dimension=64)
    found = encoded(open_encoder(settings, 1), TEXTS[:2])
    assert all("dimensions" not in body for body in compatible.bodies)
    np.testing.assert_array_equal(found[0], unit_float16(vector_of(TEXTS[0], 384)[None], 64)[0])


def test_vectors_shorter_than_the_recipe_says_end_the_work(compatible: OpenAiServer) -> None:
    encoder = open_encoder(server_settings(compatible, dimension=1024), 1)
    assert encoded(encoder, TEXTS[:2]) == {}
    assert encoder.stopped is not None
    assert encoder.stopped.failure == "model"
    assert "gives vectors of 384 numbers, expected at least 1024" in encoder.stopped.message


def wrong(compatible: OpenAiServer, *vectors: list[float] | None) -> None:
    """Lets the server answer whatever it is asked with these vectors, each with its index, None for one left out."""
    data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors) if vector is not None]
    compatible.fault("body", text=json.dumps({"data": data, "usage": {"prompt_tokens": 9}}))


def test_fewer_vectors_than_texts_end_the_work(compatible: OpenAiServer) -> None:
    wrong(compatible, [1.0] * 384)
    encoder = open_encoder(server_settings(compatible), 1)
    assert encoded(encoder, TEXTS[:3]) == {}
    assert encoder.stopped is not None
    assert "gave 1 vectors for 3 texts, expected one each" in encoder.stopped.message


def test_a_vector_that_could_be_anyones_is_nobodys(compatible: OpenAiServer) -> None:
    wrong(compatible, None, [1.0] * 384, [1.0] * 384)
    encoder = open_encoder(server_settings(compatible, call_attempts=1), 1)
    assert encoded(encoder, TEXTS[:2]) == {}
    assert encoder.stopped is not None
    assert "its 2 vectors have the indexes [1, 2]" in encoder.stopped.message


def test_vectors_that_have_no_direction_are_not_kept_and_the_others_are(compatible: OpenAiServer) -> None:
    wrong(compatible, [0.0] * 384, [float("nan")] * 384, [], [1.0] * 500)
    encoder = open_encoder(server_settings(compatible), 1)
    found = encoded(encoder, TEXTS[:4])
    assert [place for place in sorted(found) if np.isfinite(found[place]).all()] == [3]
    assert found[3].shape == (384,)
    assert encoder.stopped is None


def test_one_text_that_is_too_long_is_refused_alone_with_the_servers_reason(compatible: OpenAiServer) -> None:
    compatible.embeddings.most_characters = 200
    texts = [*TEXTS[:20], "long " * 100, *TEXTS[20:40]]
    encoder = open_encoder(server_settings(compatible), 1)
    found = encoded(encoder, texts)
    assert len(found) == 41
    assert np.isnan(found[20]).all()
    assert [place for place, vector in found.items() if not np.isfinite(vector).all()] == [20]
    (reason,) = encoder.refused.values()
    assert list(encoder.refused) == [f"{20:064x}"]
    assert "tei does not take it: 413 validation: maximum input length is 200 characters" in reason


def test_a_server_that_takes_no_text_at_all_ends_the_work(compatible: OpenAiServer) -> None:
    compatible.fault("bad_request")
    encoder = open_encoder(server_settings(compatible, concurrency=1), 1)
    encoded(encoder, TEXTS)
    assert encoder.stopped is not None
    assert encoder.stopped.failure == "model"
    assert sum(compatible.calls.values()) < 40


@pytest.mark.parametrize("kind", ["rate", "server", "reset", "unavailable", "garbage"])
def test_what_passes_is_tried_again_and_every_text_has_its_vector(compatible: OpenAiServer, kind: str) -> None:
    compatible.fault(kind, times=1, delay=0.05)  # type: ignore[arg-type]  # one of the kinds
    encoder = open_encoder(server_settings(compatible), 1)
    assert len(encoded(encoder, TEXTS)) == len(TEXTS)
    assert encoder.stopped is None
    assert set(compatible.embeddings.answered.values()) == {1}


@pytest.mark.parametrize(
    ("kind", "stopped", "says"),
    [("unauthorized", "key", "SERVER_KEY"), ("quota", "quota", "quota is used up"), ("unknown_model", None, "model")],
)
def test_what_does_not_pass_is_told_and_ends_the_work(
    compatible: OpenAiServer, kind: str, stopped: str | None, says: str
) -> None:
    compatible.fault(kind)  # type: ignore[arg-type]  # one of the kinds
    encoder = open_encoder(server_settings(compatible), 1)
    encoded(encoder, TEXTS)
    assert encoder.stopped is not None
    assert encoder.stopped.stopped == stopped
    assert says in encoder.stopped.message
    assert compatible.url in encoder.stopped.message
    assert KEY not in encoder.stopped.message
    assert "llm." not in encoder.stopped.message


def test_a_wait_beyond_patience_is_a_quota(gemini: GeminiServer) -> None:
    gemini.fault("rate", delay=4000)
    encoder = open_encoder(gemini_settings(gemini), 1)
    encoded(encoder, documents(gemini_settings(gemini), TEXTS[:2]))
    assert encoder.stopped is not None
    assert encoder.stopped.stopped == "quota"
    assert "encoder.call_seconds is 300" in encoder.stopped.message


def test_the_budget_ends_the_work_before_it_is_overspent(compatible: OpenAiServer) -> None:
    settings = server_settings(compatible, budget_tokens=500, texts_per_call=4, concurrency=2)
    encoder = open_encoder(settings, 1)
    found = encoded(encoder, TEXTS)
    assert 0 < len(found) < len(TEXTS)
    assert encoder.stopped is not None
    assert encoder.stopped.stopped == "budget"
    assert "raise encoder.budget_tokens" in encoder.stopped.message
    spent = sum(-(-len(text) // 4) for text in compatible.embeddings.answered.elements())
    assert spent <= 500


def test_what_is_left_of_a_budget_goes_into_smaller_calls(compatible: OpenAiServer) -> None:
    encoder = open_encoder(server_settings(compatible, budget_tokens=200), 1)
    assert len(encoded(encoder, TEXTS)) >= 5, "a call of 32 texts has no room in it"
    assert encoder.stopped is not None
    assert encoder.stopped.stopped == "budget"
    assert sum(-(-len(text) // 4) for text in compatible.embeddings.answered.elements()) <= 200


def test_the_user_can_end_the_work_and_keeps_what_came(compatible: OpenAiServer) -> None:
    compatible.latency = 0.02
    encoder = open_encoder(server_settings(compatible, concurrency=1, texts_per_call=10), 1)
    found: dict[int, Float16] = {}
    keys = [str(place) for place in range(len(TEXTS))]
    for places, vectors in encoder.encode(TEXTS, keys, lambda: bool(found)):
        found.update(zip(places, vectors, strict=True))
    assert encoder.stopped is None
    assert len(found) == sum(compatible.embeddings.answered.values())
    assert 10 <= len(found) <= 30


def test_the_log_tells_once_of_texts_that_the_service_would_cut(
    gemini: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = gemini_settings(gemini)
    encoder = open_encoder(settings, 1)
    for _ in range(2):
        encoded(encoder, documents(settings, ["short", "long " * 2_000]))
    (record,) = caplog.records
    assert "about 1 of the first 2 texts are longer than the 2,048 tokens that it reads" in record.getMessage()


def test_a_worker_without_a_key_stops_as_one_whose_key_is_wrong(
    gemini: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    encoder = open_encoder(gemini_settings(gemini), 1)
    assert encoded(encoder, ["text"]) == {}
    assert encoder.stopped is not None
    assert encoder.stopped.stopped == "key"
    assert "GEMINI_API_KEY" in encoder.stopped.message


def test_no_more_calls_are_in_flight_than_a_worker_may_have(compatible: OpenAiServer) -> None:
    compatible.latency = 0.02
    settings = server_settings(compatible, concurrency=6, texts_per_call=4)
    assert len(encoded(open_encoder(settings, 1, workers=2), TEXTS)) == len(TEXTS)
    assert compatible.most_in_flight == 3

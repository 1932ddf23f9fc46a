"""The local encoder gives the vectors of SentenceTransformer.encode, whatever the model, the length and the way."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sentence_transformers import SentenceTransformer

from oreline.encoders.identity import identity
from oreline.encoders.loaded import LoadedEncoder
from oreline.encoders.models import model_folder
from oreline.errors import CallError
from oreline.recipe.settings import Encoder
from sentence_models import Kind, dense, save_model, texts_of_all_lengths

Rows = npt.NDArray[np.float64]

MODELS: dict[str, tuple[Kind, str, bool]] = {
    "bert, mean": ("bert", "mean", False),
    "bert, cls, dense and normalize": ("bert", "cls", True),
    "roberta, whose positions begin at 2": ("xlm-roberta", "mean", True),
    "modernbert, with sliding windows": ("modernbert", "mean", False),
    "qwen3, causal, padded on the left, last token": ("qwen3", "lasttoken", True),
    "qwen3, weighted mean": ("qwen3", "weightedmean", False),
    "deberta, whose attention is its own": ("deberta-v2", "max", False),
}


def loaded(settings: Encoder, threads: int = 1) -> LoadedEncoder:
    return LoadedEncoder(identity(settings), settings, threads)


def encoded(encoder: LoadedEncoder, texts: Sequence[str]) -> Rows:
    """Returns unit vectors in float64, in the order of the texts."""
    keys = [f"{place:04d}" for place in range(len(texts))]
    random.Random(0).shuffle(keys)
    rows = np.full((len(texts), encoder.identity.dimension), np.nan)
    for places, vectors in encoder.encode(texts, keys):
        assert np.isnan(rows[places]).all()
        rows[places] = vectors
    found: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def by_library(model: str, texts: Sequence[str], prompt: str | None = None) -> Rows:
    found = SentenceTransformer(model, device="cpu").encode(
        list(texts), prompt=prompt, normalize_embeddings=True, batch_size=7
    )
    return np.asarray(found, np.float64)


def smallest_cosine(found: Rows, expected: Rows) -> float:
    return float((found * expected).sum(axis=1).min())


@pytest.mark.parametrize("name", MODELS)
def test_every_length_gives_the_vectors_of_the_library(tmp_path: Path, name: str) -> None:
    kind, pooling, behind = MODELS[name]
    model = save_model(tmp_path, kind, pooling, dense() if behind else ())
    texts = texts_of_all_lengths()
    expected = by_library(model, texts)
    between = expected @ expected.T
    assert np.median(between[np.triu_indices(len(texts), 1)]) < 0.9995  # far more than the digits that are lost
    for attention in ("padded", "packed"):
        encoder = loaded(Encoder(model=model, precision="float32", attention=attention))
        assert smallest_cosine(encoded(encoder, texts), expected) >= 0.999999
        own = kind == "deberta-v2" and attention == "packed"
        assert list(encoder.facts) == (["encoder_attention"] if own else [])


def test_in_bfloat16_every_row_of_every_length_has_a_cosine_of_999_to_float32() -> None:
    texts = [f"{text} and so on {size} " + "tumour of the gland " * size for size, text in enumerate(["a", "B é"] * 20)]
    expected = by_library(model_folder("minilm"), texts)
    for attention in ("padded", "packed"):
        encoder = loaded(Encoder.model_validate({"precision": "bfloat16", "attention": attention}))
        assert encoder.facts == {}
        assert smallest_cosine(encoded(encoder, texts), expected) >= 0.999


def test_a_rendered_prompt_gives_the_vector_of_the_librarys_prompt(tmp_path: Path) -> None:
    model = save_model(tmp_path, "bert", "mean")
    texts = texts_of_all_lengths(12)
    expected = by_library(model, texts, prompt="af bc ")
    for attention in ("padded", "packed"):
        encoder = loaded(Encoder(model=model, precision="float32", attention=attention))
        assert smallest_cosine(encoded(encoder, ["af bc " + text for text in texts]), expected) >= 0.999999


def test_a_model_that_pools_without_its_prompt_is_refused_unless_there_is_none(tmp_path: Path) -> None:
    model = save_model(tmp_path, "bert", "mean", include_prompt=False)
    with pytest.raises(CallError, match="include_prompt"):
        loaded(Encoder(model=model))
    texts = texts_of_all_lengths(5)
    encoder = loaded(Encoder(model=model, precision="float32", query_prefix="", document_prefix=""))
    assert smallest_cosine(encoded(encoder, texts), by_library(model, texts)) >= 0.999999


@pytest.mark.parametrize("attention", ["padded", "packed"])
def test_a_text_without_tokens_has_no_direction_and_disturbs_no_other(tmp_path: Path, attention: str) -> None:
    model = save_model(tmp_path, "qwen3", "lasttoken", bare=True)
    encoder = loaded(Encoder.model_validate({"model": model, "precision": "float32", "attention": attention}))
    texts = texts_of_all_lengths(6)
    assert encoder.facts == {}
    found = encoded(encoder, ["", *texts, " "])
    assert np.isnan(found[[0, -1]]).all()
    assert smallest_cosine(found[1:-1], by_library(model, texts)) >= 0.999999


def test_a_model_whose_tokens_have_types_goes_its_own_way(tmp_path: Path) -> None:
    model = save_model(tmp_path, "bert", "mean", typed=True)
    texts = texts_of_all_lengths()
    encoder = loaded(Encoder(model=model, precision="float32"))
    assert "types" in encoder.facts["encoder_tokens"]
    assert smallest_cosine(encoded(encoder, texts), by_library(model, texts)) >= 0.999999


def test_a_model_with_a_first_module_of_another_kind_goes_its_own_way(tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    plain = SentenceTransformer(save_model(tmp_path, "bert", "mean"), device="cpu")
    static = StaticEmbedding(plain.tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "static"))
    shutil.copy(tmp_path / "model" / "config.json", tmp_path / "static")
    texts = texts_of_all_lengths(20)
    settings = Encoder(model=str(tmp_path / "static"), precision="float32", attention="packed")
    expected = by_library(settings.model, texts)
    model_identity = identity(settings)
    encoder = LoadedEncoder(model_identity, settings, 1)
    assert set(encoder.facts) == {"encoder_tokens", "encoder_attention"}
    rows = np.zeros((len(texts), 16))
    for places, vectors in encoder.encode(texts, [f"{place:02d}" for place in range(len(texts))]):
        rows[places] = vectors
    assert smallest_cosine(rows, expected) >= 0.999


def test_several_copies_give_the_bits_of_one() -> None:
    texts = ["tumour " * (1 + number % 90) + str(number) for number in range(100)]
    keys = [f"{place:04d}" for place in range(len(texts))]
    one = loaded(Encoder(precision="float32", device=["cpu"]), threads=1)
    three = loaded(Encoder(precision="float32", device=["cpu", "cpu", "cpu"]), threads=3)
    of_one, of_three = list(one.encode(texts, keys)), list(three.encode(texts, keys))
    assert len(of_one) > 3
    assert [places for places, _ in of_one] == [places for places, _ in of_three]
    for (_, vectors), (_, same) in zip(of_one, of_three, strict=True):
        assert vectors.tobytes() == same.tobytes()


def test_a_batch_without_room_is_computed_in_halves(tmp_path: Path) -> None:
    encoder = loaded(Encoder(model=save_model(tmp_path, "bert", "mean"), precision="float32", attention="packed"))
    texts = texts_of_all_lengths()
    expected = encoded(encoder, texts)
    narrow = loaded(Encoder(model=str(tmp_path / "model"), precision="float32", attention="packed"))

    class Full(torch.nn.Module):
        """Has room for four texts."""

        def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            if len(features["sentence_embedding"]) > 4:
                raise torch.OutOfMemoryError
            return features

    narrow._replicas[0]._model.whole.add_module("full", Full())
    assert smallest_cosine(encoded(narrow, texts), expected) >= 0.999999


def test_a_stop_ends_the_work_after_what_is_under_way() -> None:
    encoder = loaded(Encoder(precision="float32"))
    texts = ["tumour " * (1 + number % 200) for number in range(0, 200, 7)]
    keys = [f"{place:04d}" for place in range(len(texts))]
    batches = len(list(encoder.encode(texts, keys)))
    asked = iter([False, False, True])
    found = list(encoder.encode(texts, keys, lambda: next(asked)))
    assert len(found) == 2 < batches


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # torch's compiler imports what torch deprecates
def test_compiled_layers_give_the_same_vectors(tmp_path: Path) -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("torch.compile needs a C++ compiler for the CPU")
    model = save_model(tmp_path, "bert", "mean")
    texts = texts_of_all_lengths()
    # A pool of compilers takes longer to start than so small a model needs.
    with torch._inductor.config.patch(compile_threads=1):
        encoder = loaded(Encoder(model=model, precision="float32", compile="on"))
        assert smallest_cosine(encoded(encoder, texts), by_library(model, texts)) >= 0.999999

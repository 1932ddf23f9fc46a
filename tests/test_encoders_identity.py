"""An encoder's identity: it changes with whatever can change a vector, and with nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from oreline.encoders.identity import identity
from oreline.encoders.models import packaged_folder
from oreline.encoders.opening import open_encoder
from oreline.encoders.protocol import Float16
from oreline.errors import CallError
from oreline.recipe.settings import Encoder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    shutil.copytree(packaged_folder(), folder)
    return folder


def digest(folder: Path, **keys: object) -> str:
    return identity(Encoder.model_validate({"model": str(folder), "precision": "float32", **keys})).digest


def test_the_packaged_model_is_described_without_torch() -> None:
    code = (
        "import sys; from oreline.encoders.identity import identity; from oreline.recipe.settings import Encoder; "
        "found = identity(Encoder()); assert 'torch' not in sys.modules; print(found.dimension, found.max_tokens)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["384", "256"]


def test_a_copy_elsewhere_is_the_same_encoder(checkpoint: Path) -> None:
    assert digest(checkpoint) == identity(Encoder(precision="float32")).digest


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "vocab.txt", "config.json", "1_Pooling/config.json"]
)
def test_a_changed_file_is_another_encoder(checkpoint: Path, name: str) -> None:
    before = digest(checkpoint)
    with (checkpoint / name).open("ab") as file:
        file.write(b"\n")
    assert digest(checkpoint) != before


def test_length_and_precision_are_part_of_it_and_threads_are_not(checkpoint: Path) -> None:
    before = digest(checkpoint)
    assert digest(checkpoint, max_tokens=64) != before
    assert digest(checkpoint, precision="bfloat16") != before
    assert digest(checkpoint, threads=1) == before


def test_a_readme_changes_nothing(checkpoint: Path) -> None:
    before = digest(checkpoint)
    (checkpoint / "README.md").write_text("other", encoding="utf-8")
    assert digest(checkpoint) == before


def test_a_length_that_the_model_has_no_positions_for_is_an_error(checkpoint: Path) -> None:
    with pytest.raises(CallError, match=r"max_tokens is 9999, but .* takes at most 512"):
        digest(checkpoint, max_tokens=9_999)


def test_a_folder_that_is_not_there_or_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="there is no folder"):
        identity(Encoder(model=str(tmp_path / "nowhere")))
    with pytest.raises(CallError, match=r"holds no config\.json"):
        identity(Encoder(model=str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8}), encoding="utf-8")
    with pytest.raises(CallError, match="holds no weights"):
        identity(Encoder(model=str(tmp_path)))


def test_a_shorter_dimension_is_another_encoder_and_a_longer_one_an_error(checkpoint: Path) -> None:
    settings = Encoder.model_validate({"model": str(checkpoint), "precision": "float32", "dimension": 128})
    assert identity(settings).dimension == 128
    assert identity(settings).digest != digest(checkpoint)
    assert digest(checkpoint, dimension=384) == digest(checkpoint)
    with pytest.raises(CallError, match=r"encoder\.dimension is 385, but the vectors of .* have 384 numbers"):
        digest(checkpoint, dimension=385)


def test_the_identity_of_a_service_is_its_name_model_dimension_and_task_handling() -> None:
    def of(**keys: object) -> str:
        return identity(Encoder.model_validate({"provider": "gemini", "model": "gemini-embedding-001", **keys})).digest

    local = {"base_url": "http://127.0.0.1:1", "server": "a"}
    assert of(project="p") == of(model="models/gemini-embedding-001") == of(concurrency=2, timeout=1.0) == of()
    assert of(**local) == of(**{**local, "base_url": "http://127.0.0.1:2"})
    others = [of(model="gemini-embedding-2"), of(dimension=768), of(**local), of(**{**local, "server": "b"})]
    assert len({of(), *others}) == 5
    with pytest.raises(
        CallError, match=r"encoder\.dimension is 4000, but the vectors of gemini-embedding-001 have 3072"
    ):
        of(dimension=4000)
    with pytest.raises(
        CallError, match=r"encoder\.dimension is not set, and how long the vectors of m are is not known"
    ):
        identity(Encoder(provider="openai", model="m", base_url="http://127.0.0.1:1/v1", server="a"))


def test_a_model_is_not_prefixed_twice_and_cut_vectors_are_unit_vectors(checkpoint: Path) -> None:
    texts = ["search_query: which gland?", "A short document."]
    plain = vectors_of(Encoder(model=str(checkpoint), precision="float32", dimension=128), texts)
    path = checkpoint / "config_sentence_transformers.json"
    own = {"prompts": {"query": "search_query: ", "document": "doc: "}, "default_prompt_name": "query"}
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **own}), encoding="utf-8")
    settings = Encoder(model=str(checkpoint), precision="float32", dimension=128)
    np.testing.assert_array_equal(vectors_of(settings, texts), plain)
    np.testing.assert_allclose(np.linalg.norm(plain.astype(np.float64), axis=1), 1.0, atol=2e-3)
    whole = vectors_of(Encoder(model=str(checkpoint), precision="float32"), texts).astype(np.float64)
    cut = whole[:, :128] / np.linalg.norm(whole[:, :128], axis=1, keepdims=True)
    np.testing.assert_allclose(plain.astype(np.float64), cut, atol=2e-3)


def vectors_of(settings: Encoder, texts: list[str]) -> Float16:
    encoder = open_encoder(settings, 1)
    rows = np.zeros((len(texts), encoder.identity.dimension), np.float16)
    for places, vectors in encoder.encode(texts, texts, lambda: False):
        rows[places] = vectors
    return rows

"""An encoder's identity: it changes with whatever can change a vector, and with nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oreline.encoders.identity import identity
from oreline.encoders.models import packaged_folder
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

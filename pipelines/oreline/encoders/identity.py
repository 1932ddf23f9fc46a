"""An encoder's identity: whatever can change one of its vectors, in one hash. Neither torch nor a model is loaded."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from oreline.encoders.models import file_sha256, model_folder, require_libraries
from oreline.encoders.precision import Precision, precision_of
from oreline.errors import CallError
from oreline.ids import Json, sha256_json
from oreline.recipe.settings import Encoder

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_TOKENIZERS = (".txt", ".model", ".tiktoken", ".py")
_NO_EFFECT = frozenset(
    {"README.md", "config_sentence_transformers.json", "data_config.json", "trainer_state.json", "training_args.bin"}
    | {"optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth", "eval_results.json", "model_index.json"}
)


@dataclass(frozen=True)
class EncoderIdentity:
    """An encoder as it computes here.

    `digest` is 64 hexadecimal digits; `folder` lies on this machine and enters no hash; `dimension` is the vectors'
    length; `max_tokens` where texts are cut.
    """

    digest: str
    model: str
    folder: str
    dimension: int
    max_tokens: int
    precision: Precision

    def facts(self) -> dict[str, Json]:
        """Returns what a manifest says of the encoder."""
        return {
            "encoder": self.digest,
            "model": self.model,
            "dimension": self.dimension,
            "max_tokens": self.max_tokens,
            "precision": self.precision,
        }


def identity(settings: Encoder) -> EncoderIdentity:
    """Returns the identity of the encoder that a recipe names, as it computes on this machine.

    sha256 over weights, tokenizer, pooling and further modules, maximum length, dimension and precision. Equal files
    in another folder have an equal identity. Raises CallError if a library, the model or a file of it is missing.
    """
    require_libraries()
    folder = model_folder(settings.model)
    dimension = _dimension(folder)
    longest = _max_tokens(folder)
    if settings.max_tokens is not None and settings.max_tokens > longest:
        raise CallError(f"encoder.max_tokens is {settings.max_tokens}, but {settings.model} takes at most {longest}")
    cut = settings.max_tokens or _own_max_tokens(folder) or longest
    precision = precision_of(settings)
    body: dict[str, Json] = {
        "files": {name: file_sha256(os.path.join(folder, name)) for name in _files(folder)},
        "max_tokens": cut,
        "dimension": dimension,
        "precision": precision,
    }
    return EncoderIdentity(sha256_json(body), settings.model, folder, dimension, cut, precision)


def _files(folder: str) -> list[str]:
    """Returns the files that can change a vector, relative to the folder; safetensors hide other weight formats."""
    places = ["", *(place for place in _module_folders(folder) if place)]
    found: list[str] = []
    for place in dict.fromkeys(places):
        names = sorted(os.listdir(os.path.join(folder, place))) if os.path.isdir(os.path.join(folder, place)) else []
        weights = [name for name in names if name.endswith(_WEIGHTS)]
        chosen = [name for name in weights if name.endswith(".safetensors")] or weights
        other = [name for name in names if name.endswith((".json", *_TOKENIZERS))]
        found.extend(os.path.join(place, name) for name in (*chosen, *other) if name not in _NO_EFFECT)
    if not any(name.endswith(_WEIGHTS) for name in found):
        raise CallError(f"encoder.model: {folder} holds no weights (*.safetensors or *.bin)")
    return sorted(set(found))


def _module_folders(folder: str) -> Iterator[str]:
    modules = _read(folder, "modules.json")
    for module in modules if isinstance(modules, list) else []:
        if isinstance(module, dict):
            yield str(module.get("path", ""))


def _dimension(folder: str) -> int:
    """Returns the length of the vectors: the last Dense module's, else the pooling's, else the model's own."""
    found = 0
    for place in _module_folders(folder):
        config = _read(folder, os.path.join(place, "config.json")) if place else None
        if isinstance(config, dict):
            for key in ("word_embedding_dimension", "embedding_dimension", "out_features"):
                found = value if isinstance(value := config.get(key), int) else found
    if not found:
        found = _number(_read(folder, "config.json"), "hidden_size", "d_model", "dim")
    if not found:
        raise CallError(f"encoder.model: the files in {folder} do not say how long its vectors are")
    return found


def _own_max_tokens(folder: str) -> int:
    return _number(_read(folder, "sentence_bert_config.json"), "max_seq_length")


def _max_tokens(folder: str) -> int:
    config = _read(folder, "config.json")
    positions = _number(config, "max_position_embeddings", "n_positions") or _own_max_tokens(folder) or 512
    # RoBERTa's first positions are taken by its padding index.
    kind = config.get("model_type") if isinstance(config, dict) else None
    return positions - 2 if kind in {"roberta", "xlm-roberta", "camembert", "mpnet"} else positions


def _number(config: Json, *keys: str) -> int:
    if not isinstance(config, dict):
        return 0
    values = (config.get(key) for key in keys)
    return next((value for value in values if isinstance(value, int) and value > 0), 0)


def _read(folder: str, name: str) -> Json:
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)  # type: ignore[no-any-return]  # JSON is what the annotation says
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CallError(f"encoder.model: {path} is no JSON ({error})") from error

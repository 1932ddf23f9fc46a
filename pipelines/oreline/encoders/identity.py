"""An encoder's identity: whatever can change one of its vectors, in one hash. Neither torch nor a model is loaded."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from oreline.encoders.hashing import file_sha256
from oreline.encoders.models import model_folder, require_libraries
from oreline.encoders.precision import Precision, arithmetic, precision_of
from oreline.errors import CallError
from oreline.ids import Json, sha256_json
from oreline.recipe.settings import Encoder

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_TOKENIZERS = (".txt", ".model", ".tiktoken", ".py")
_NO_EFFECT = frozenset(
    {"README.md", "config_sentence_transformers.json", "data_config.json", "trainer_state.json", "training_args.bin"}
    | {"optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth", "eval_results.json", "model_index.json"}
)

_NO_LIMIT = 10**9


@dataclass(frozen=True)
class EncoderIdentity:
    """An encoder as it computes here.

    `digest` is 64 hexadecimal digits; `folder` lies on this machine and enters no hash; `dimension` is the vectors'
    length; `max_tokens` where texts are cut. What does not compute here has no folder, and 0 for `max_tokens`: its
    numbers come as they are, the service cuts texts or refuses them.
    """

    digest: str
    model: str
    folder: str
    dimension: int
    max_tokens: int
    precision: Precision
    provider: str = "local"

    def facts(self) -> dict[str, Json]:
        """Returns what a manifest says of the encoder."""
        facts: dict[str, Json] = {"encoder": self.digest, "model": self.model, "dimension": self.dimension}
        if self.provider != "local":
            return {**facts, "provider": self.provider}
        return {**facts, "max_tokens": self.max_tokens, "precision": self.precision}


def identity(settings: Encoder) -> EncoderIdentity:
    """Returns the identity of the encoder that a recipe names, as it computes on this machine, or elsewhere.

    Raises CallError if a library, the model or a file of it is missing, or its vectors are shorter than
    `encoder.dimension`.
    """
    if settings.provider == "file":
        from oreline.encoders.vector_files import files_identity

        digest, dimension = files_identity(settings)
        names = ", ".join(os.path.basename(path) for path in (*settings.document_vectors, *settings.query_vectors))
        return EncoderIdentity(digest, names, "", dimension, 0, "float32", "file")
    if settings.provider != "local":
        from oreline.encoders.remote.naming import service_identity, service_name

        digest, dimension = service_identity(settings)
        return EncoderIdentity(digest, settings.model, "", dimension, 0, "float32", service_name(settings))
    return _local_identity(settings)


def _local_identity(settings: Encoder) -> EncoderIdentity:
    """Returns the sha256 over weights, tokenizer, pooling and modules, maximum length, dimension and arithmetic.

    Equal files in another folder have an equal identity.
    """
    require_libraries()
    folder = model_folder(settings.model)
    dimension = cut_dimension(settings, _dimension(folder))
    longest = _max_tokens(folder)
    if settings.max_tokens is not None and settings.max_tokens > longest:
        raise CallError(f"encoder.max_tokens is {settings.max_tokens}, but {settings.model} takes at most {longest}")
    cut = settings.max_tokens or min(_own_max_tokens(folder) or longest, longest)
    body: dict[str, Json] = {
        "files": {name: file_sha256(os.path.join(folder, name)) for name in _files(folder)},
        "max_tokens": cut,
        "dimension": dimension,
        **arithmetic(settings),
    }
    return EncoderIdentity(sha256_json(body), settings.model, folder, dimension, cut, precision_of(settings))


def cut_dimension(settings: Encoder, own: int) -> int:
    """Returns how long an encoder's vectors are once cut; `own` is how long they come.

    Raises CallError if the recipe asks for more.
    """
    wanted = settings.dimension or own
    if wanted > own:
        raise CallError(
            f"encoder.dimension is {wanted}, but the vectors of {settings.model} have {own} numbers; vectors can only "
            "be cut: set it to at most that, or leave it out"
        )
    return wanted


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
    """Returns where the saved model cuts, 0 if it does not say: sentence-transformers 6 leaves it to the tokenizer."""
    own = _number(_read(folder, "sentence_bert_config.json"), "max_seq_length")
    tokenizer = _number(_read(folder, "tokenizer_config.json"), "model_max_length")
    # A tokenizer without a limit has an astronomical one.
    return own or (tokenizer if tokenizer < _NO_LIMIT else 0)


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

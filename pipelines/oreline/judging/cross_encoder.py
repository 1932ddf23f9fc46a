"""A cross-encoder on this machine: sentence-transformers' CrossEncoder, and the hash of all that changes its scores."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from oreline.encoders.hashing import file_sha256
from oreline.encoders.models import model_folder, require_libraries
from oreline.errors import CallError
from oreline.ids import Json, sha256_json
from oreline.judging.cases import Case
from oreline.recipe.settings import CrossEncoder

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model

_READ = (".safetensors", ".bin", ".json", ".txt", ".model")
_NO_EFFECT = frozenset({"training_args.bin", "optimizer.pt", "trainer_state.json", "eval_results.json"})


@dataclass(frozen=True)
class Unscored:
    """Why a document has no score: a reject code and a sentence."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Scores:
    """The scores of some documents, in their order; `calls` and `tokens` are what a server was asked for them."""

    values: list[float | Unscored]
    calls: int = 0
    tokens: int = 0


class PairScorer(Protocol):
    """Scores documents by reading each beside the query."""

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Returns the scores; raises CallError if the model, or its server, can give none."""
        ...


def query_shown(settings: CrossEncoder, case: Case) -> str:
    """Returns the query as the model is shown it."""
    return f"{case.instruction}\n{case.query}" if settings.with_instruction else case.query


def identity(settings: CrossEncoder) -> str:
    """Returns the hash of all that changes scores besides query and document, 64 hexadecimal digits.

    Of a model on this machine its files are hashed, of one behind a server its name. Raises CallError if a library or
    the model is not there.
    """
    body: dict[str, Json] = {
        "kind": "cross_encoder",
        "scores": settings.scores,
        "with_instruction": settings.with_instruction,
        "max_tokens": settings.max_tokens,
    }
    if settings.server is not None:
        return sha256_json({**body, "server": [settings.protocol, settings.model]})
    folder = folder_of(settings)
    files: dict[str, Json] = {name: file_sha256(os.path.join(folder, name)) for name in _files(folder)}
    return sha256_json({**body, "files": files, "precision": settings.precision})


def folder_of(settings: CrossEncoder) -> str:
    """Returns the local folder with the model's files; raises CallError if it, or a library, is not there."""
    try:
        require_libraries()
        return model_folder(settings.model)
    except CallError as error:
        raise CallError(_as_ours(str(error))) from error


def _as_ours(message: str) -> str:
    """Returns a message about an encoder as one about the cross-encoder, whose files are had in the same way."""
    told = message.replace("encoder.model", "judge.cross_encoder.model").removeprefix("encoder: ")
    return told.replace(" (or set select.negatives to 0, which needs no encoder)", " for judge.cross_encoder")


def _files(folder: str) -> list[str]:
    names = sorted(
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, found in os.walk(folder)
        for name in found
        if name.endswith(_READ) and name not in _NO_EFFECT
    )
    safe = any(name.endswith(".safetensors") for name in names)
    return [name for name in names if not (safe and name.endswith(".bin"))]


class LocalCrossEncoder:
    """A loaded model. For one thread at a time; `threads` are the CPU threads that it may use."""

    def __init__(self, settings: CrossEncoder, threads: int) -> None:
        import torch
        from sentence_transformers import CrossEncoder as Loaded

        torch.set_num_threads(threads)
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[settings.precision]
        self._batch = settings.batch
        self._model: Model = Loaded(
            folder_of(settings),
            device=None if settings.device == "auto" else settings.device,
            local_files_only=True,
            max_length=settings.max_tokens,
            activation_fn=torch.nn.Identity() if settings.scores == "raw" else None,
            model_kwargs={"dtype": dtype},
        )
        if self._model.num_labels != 1:
            raise CallError(
                f"judge.cross_encoder.model: {settings.model} gives {self._model.num_labels} scores per pair, "
                "but one is needed; name a model that ranks"
            )

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Returns the scores of documents; one that is not finite is none."""
        pairs = [(query, document) for document in documents]
        found = self._model.predict(pairs, batch_size=self._batch, show_progress_bar=False)
        return Scores([_finite(float(value)) for value in found])


def _finite(value: float) -> float | Unscored:
    return value if math.isfinite(value) else Unscored("not_scored", f"the model's score is {value}")

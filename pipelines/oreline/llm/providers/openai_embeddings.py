"""What an OpenAI-compatible server answers at /v1/embeddings: lists of numbers, or base64 of little-endian floats."""

import base64
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from oreline.llm.providers.protocol import Embedded


def embedded_of(body: object) -> Embedded:
    """Returns the vectors of an answer, in the order of its indexes; raises TypeError or ValueError for another shape.

    A place without a vector, or with two, is a ValueError: whose vector the others are could not be known.
    """
    if not isinstance(body, Mapping):
        raise TypeError("the answer is no JSON object")
    found: dict[int, npt.NDArray[np.float32]] = {}
    data = body["data"]
    for each in data:
        found[int(each["index"])] = _numbers(each["embedding"])
    if sorted(found) != list(range(len(data))):
        raise ValueError(f"its {len(data)} vectors have the indexes {sorted(found)}")
    usage = body.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, Mapping) else None
    return Embedded([found[place] for place in range(len(data))], tokens if isinstance(tokens, int) else None)


def _numbers(vector: object) -> npt.NDArray[np.float32]:
    if isinstance(vector, str):
        return np.frombuffer(base64.b64decode(vector, validate=True), "<f4").astype(np.float32)
    if not isinstance(vector, list):
        raise TypeError("an embedding is neither a list of numbers nor base64")
    return np.asarray(vector, np.float32)

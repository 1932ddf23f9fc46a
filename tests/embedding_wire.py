"""Embeddings as the local servers give them: bags of hashed words, with what the real services check and refuse."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from oreline.ids import Json


@dataclass
class Embeddings:
    """What a server's embedding model is like, and what it was asked."""

    dimension: int = 3072
    most_texts: int = 100
    """A call with more texts is refused."""
    most_characters: int | None = None
    """A longer text is refused, and its whole call with it."""
    shaped: bool = True
    """Whether a dimension that is asked for is heeded."""
    answered: Counter[str] = field(default_factory=Counter)
    """How often each text got a vector."""
    tasks: Counter[str] = field(default_factory=Counter)
    """How often each task was named, empty for none."""
    sizes: list[int] = field(default_factory=list)
    """How many texts each call had that was answered."""

    def refusal(self, texts: Sequence[str]) -> str | None:
        """Returns why a call is refused, None if it is not."""
        if len(texts) > self.most_texts:
            return f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}"
        most = self.most_characters
        if most is not None and any(len(text) > most for text in texts):
            return f"maximum input length is {most} characters, given {max(map(len, texts))}"
        return None

    def vectors(self, texts: Sequence[str], dimension: int | None, task: str = "") -> list[list[float]]:
        """Returns the vectors of texts and counts them."""
        self.answered.update(texts)
        self.tasks[task] += len(texts)
        self.sizes.append(len(texts))
        length = dimension if dimension is not None and self.shaped else self.dimension
        return [[float(each) for each in vector_of(text + task, self.dimension)[:length]] for text in texts]


def vector_of(text: str, dimension: int) -> npt.NDArray[np.float32]:
    """A text's vector, of the length of its words: equal words, equal vectors, that are no unit vectors when cut."""
    vector = np.zeros(dimension, np.float32)
    for word in re.findall(r"\w+", text.lower()):
        seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
        vector += np.random.default_rng(seed).standard_normal(dimension, np.float32)
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm else vector


def as_base64(vector: Sequence[float]) -> Json:
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()

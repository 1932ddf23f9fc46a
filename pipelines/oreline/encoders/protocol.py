"""What an encoder does, wherever it computes: strings come in, unit vectors go out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from oreline.encoders.identity import EncoderIdentity

if TYPE_CHECKING:
    from oreline.llm.stopping import Stop

Float16 = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Flush:
    """When a file of vectors is finished: after so many texts, or so many seconds (None: only by texts)."""

    texts: int = 4_096
    seconds: float | None = None


class TextEncoder(Protocol):
    """A local model, a remote service, or a file of vectors; made and used in one process.

    Strings come rendered (`encoders.rendering`): an encoder adds no prefix of its own.
    """

    @property
    def identity(self) -> EncoderIdentity:
        """Whatever can change one of its vectors."""
        ...

    @property
    def refused(self) -> Mapping[str, str]:
        """Why texts got no vector, by key: one sentence each, for those of which more is known than a row of NaN."""
        ...

    @property
    def stopped(self) -> "Stop | None":
        """Why it encodes nothing any more (wrong key, quota, budget); None while it does, as on this machine always."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """What a manifest says of how it computed, beside its identity; empty where there is nothing to say."""
        ...

    @property
    def flush(self) -> Flush:
        """How much of its work may be lost when a run is killed."""
        ...

    def encode(
        self, texts: Sequence[str], keys: Sequence[str], stop: Callable[[], bool]
    ) -> Iterator[tuple[list[int], Float16]]:
        """Yields (places, vectors): which texts were encoded, and their unit vectors, rows x dimension.

        Rows are NaN where there is no direction. Every place comes once, in any order, unless `stop`, which is asked
        between batches, or `stopped` ends the work. What was yielded may be kept at once: it is not computed again. An
        empty batch says that time passed in which nothing came: what waits may be written meanwhile.
        """
        ...

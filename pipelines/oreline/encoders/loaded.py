"""A loaded sentence-transformers model that turns strings into unit vectors, on all the devices that it is given."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future

from oreline.encoders.batches import token_batches
from oreline.encoders.devices import devices_of
from oreline.encoders.identity import EncoderIdentity
from oreline.encoders.local.ahead import Ahead
from oreline.encoders.local.opening import replicas_of
from oreline.encoders.local.replica import Batch, Float32
from oreline.encoders.local.tokens import Tokens
from oreline.encoders.precision import on_gpu
from oreline.encoders.protocol import Float16, Flush
from oreline.encoders.units import unit_float16
from oreline.recipe.settings import Encoder

CPU_BUDGET = {"float32": 1_024, "bfloat16": 4_096, "float16": 4_096}
"""Tokens of a batch on a CPU; larger ones were slower on two cores, as activations leave the cache."""

GPU_BUDGET = 65_536

_FIRST_WINDOW = 2_048
_LARGEST_WINDOW = 16_384
_AHEAD = 64
"""Batches per copy of the model that wait with their inputs made: what it computes while a window is tokenised."""


class LoadedEncoder:
    """An encoder on its devices: one copy of the model on each.

    `threads` are the CPU threads of this process, which the copies share. Texts come rendered.
    """

    def __init__(self, identity: EncoderIdentity, settings: Encoder, threads: int) -> None:
        self.identity = identity
        self._replicas, self._ways = replicas_of(identity, settings, devices_of(settings), threads)
        self._budget = GPU_BUDGET if on_gpu(settings) else CPU_BUDGET[identity.precision]
        # A GPU is given the next batches before it is done; a CPU computes one while the last one is written.
        self._under_way = len(self._replicas) * (4 if on_gpu(settings) else 1)

    @property
    def facts(self) -> Mapping[str, str]:
        """Which ways were asked for and cannot be taken with this model, and why."""
        return {f"encoder_{name}": reason for name, reason in self._ways.because.items()}

    @property
    def refused(self) -> Mapping[str, str]:
        """Nothing: a text that this model gives no direction is a row of NaN."""
        return {}

    @property
    def stopped(self) -> None:
        """Nothing: a model on this machine has no quota."""
        return None

    @property
    def flush(self) -> Flush:
        """Seldom: what a killed run loses is computed again at no cost but time."""
        return Flush()

    def encode(
        self, texts: Sequence[str], keys: Sequence[str], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[list[int], Float16]]:
        """Yields (places, vectors): which texts a batch held, and its unit vectors as float16, rows x dimension.

        Rows are NaN where the model gave no direction (a vector that is not finite, or zero). Batches depend on the
        set of texts and keys alone, and come in one order whatever the number of devices. `stop` is asked before each
        batch; True ends the work after those that are under way.
        """
        with Ahead(self._prepared(texts, keys), _AHEAD * len(self._replicas)) as prepared:
            yield from self._computed(prepared, stop)

    def _computed(self, prepared: Iterator[Batch], stop: Callable[[], bool]) -> Iterator[tuple[list[int], Float16]]:
        """Deals batches out to the copies in turn, and yields their vectors in the order of the batches."""
        under_way: deque[tuple[Batch, Future[Callable[[], Float32]]]] = deque()
        try:
            for number, batch in enumerate(prepared):
                if stop():
                    break
                under_way.append((batch, self._replicas[number % len(self._replicas)].start(batch)))
                if len(under_way) > self._under_way:
                    yield self._finished(*under_way.popleft())
            while under_way:
                yield self._finished(*under_way.popleft())
        finally:
            for _, future in under_way:
                future.cancel()

    def _finished(self, batch: Batch, future: "Future[Callable[[], Float32]]") -> tuple[list[int], Float16]:
        return batch.places, unit_float16(future.result()(), self.identity.dimension)

    def _prepared(self, texts: Sequence[str], keys: Sequence[str]) -> Iterator[Batch]:
        """Yields batches with their inputs made, window by window."""
        for window in windows(keys):
            chosen = [texts[place] for place in window]
            tokens = self._ways.tokenizing.tokens(chosen) if self._ways.tokenizing is not None else None
            lengths = self._lengths(chosen, tokens)
            named = [keys[place] for place in window]
            padded = self._ways.first_position is None
            for inside in token_batches(lengths, named, self._budget, padded=padded):
                places = [window[place] for place in inside]
                held = None if tokens is None else tokens.take(inside)
                batch = Batch(places, held, [chosen[place] for place in inside], None)
                yield self._replicas[0].with_inputs(batch)

    def _lengths(self, texts: Sequence[str], tokens: Tokens | None) -> list[int]:
        """Returns the lengths in tokens; about, where only the model knows its tokens."""
        if tokens is not None:
            return [int(length) for length in tokens.lengths]
        return [min(self.identity.max_tokens, 2 + len(text) // 4) for text in texts]


def windows(keys: Sequence[str]) -> Iterator[list[int]]:
    """Yields the places of texts in the order of their keys, in windows that are tokenised at once.

    The first is small, so that a device need not wait long for its first batch.
    """
    order = sorted(range(len(keys)), key=lambda place: keys[place])
    start, size = 0, _FIRST_WINDOW
    while start < len(order):
        yield order[start : start + size]
        start, size = start + size, min(2 * size, _LARGEST_WINDOW)

"""Which first pass a device gets."""

from dataclasses import dataclass, field

from oreline.encoders.precision import cpu_has_bfloat16
from oreline.search.chunked import Chunked
from oreline.search.first_pass import FirstPass, Scan
from oreline.search.fused.support import unsupported
from oreline.search.scanned import Scanned
from oreline.search.shards import Shard, Tiles

SMALL = 1 << 23
"""Numbers in a shard below which its search takes less time than compiling the scan would."""

_CPU_TILES = Tiles(1_024, 1_024)


@dataclass(frozen=True)
class OnCpu:
    """The first pass of a CPU: `small` for shards of less than `SMALL` numbers, where nothing is compiled for it."""

    small: FirstPass
    large: FirstPass
    queries: int = field(default=_CPU_TILES.queries)

    def open(self, shard: Shard) -> Scan:
        """Makes a shard ready; raises Unfit for a vector that is not finite or too long."""
        return (self.small if shard.vectors.size < SMALL else self.large).open(shard)


def first_pass(device: str = "cpu", tiles: Tiles | None = None) -> FirstPass:
    """Returns the fastest first pass of a device; `tiles`, where given, says how much is scored at once."""
    if device == "cpu":
        cut = tiles or _CPU_TILES
        return OnCpu(Chunked(device, tiles or Tiles()), Scanned(cpu_has_bfloat16(), cut), cut.queries)
    chunked = Chunked(device, tiles or Tiles())
    if unsupported(device) is not None:
        return chunked
    from oreline.search.fused.scan import Fused

    return Fused(device, chunked)


def path_of(device: str) -> str:
    """Returns how a device is searched, as a manifest says it; where chunks are all it can do, why.

    What does not suit the fast way goes through chunks on every device: shards that are small, on a GPU single queries
    too. That depends on their shapes, and changes no result.
    """
    if device == "cpu":
        return f"cpu, scans of {'bfloat16' if cpu_has_bfloat16() else 'float32'} scores; small shards in chunks"
    reason = unsupported(device)
    if reason is None:
        return f"{device}, fused kernels; small shards in chunks"
    return f"{device}, chunks of scores: {reason}"

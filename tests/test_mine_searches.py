"""Stage mine by each way to search on a CPU: chunks, scans in float32 and in bfloat16 give the same candidates."""

from pathlib import Path

import numpy as np
import pytest

from oreline.records import Candidate
from oreline.search import passes, ranges
from oreline.tables.manifest import read_manifest
from test_mine_stage import brute_force, document, mine, pair, prepare, query

from house import recipe_for

DIMENSION = 384
MINING = {"top_k": 20, "spare": 10, "ceiling": {"percent_of_positive": 0.999}}


def near_equal(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Vectors whose scores are nearer than bfloat16 and float32 can tell, some of them equal."""
    crowd = rng.normal(size=DIMENSION) + 0.003 * rng.normal(size=(rows, DIMENSION))
    crowd[rows // 2 :] = crowd[rng.integers(0, rows // 2, rows - rows // 2)]
    return np.asarray(crowd / np.linalg.norm(crowd, axis=1, keepdims=True), np.float16)


def test_every_search_gives_the_same_candidates_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    documents = [document(f"{n:03}", f"text {n}") for n in range(300)]
    queries = [query(f"q{n}", f"asked {n}", instruction=f"{n}") for n in range(12)]
    pairs = [pair(f"q{n}", f"{place:03}") for n in range(12) for place in (n, 17 * n + 40)]
    ids = [each.doc_id for each in documents] + [each.query_id for each in queries]
    vectors = dict(zip(ids, near_equal(rng, len(ids)), strict=True))
    found: dict[str, dict[str, Candidate]] = {}
    said = set()
    for name, small, native in (("chunks", 1 << 40, False), ("float32", 0, False), ("bfloat16", 0, True)):
        recipe = recipe_for(tmp_path / name, mine=MINING)
        prepare(recipe, documents, queries, pairs, vectors)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(passes, "SMALL", small)
            patch.setattr(passes, "cpu_has_bfloat16", lambda native=native: native)
            patch.setattr(ranges, "SHARD_ROWS", 100)
            found[name] = mine(recipe)
        manifest = read_manifest(recipe.output, "mine")
        assert manifest is not None
        said.add(str(manifest.facts["search"]))
    assert said == {f"cpu, scans of {each} scores; small shards in chunks" for each in ("float32", "bfloat16")}
    assert found["chunks"] == found["float32"] == found["bfloat16"]
    assert found["chunks"] == brute_force(recipe, documents, queries, pairs, vectors)
    scores = [each.score for candidate in found["chunks"].values() for each in candidate.pool]
    assert len(set(scores)) < len(scores), "some are equal"

"""What crosses an edge: bytes, text, numbers and tuples of them, never a pickled object."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from oreline.commit import Pending
from oreline.fingerprint import inputs_of
from oreline.job import Job
from oreline.stages.catalog import BY_NAME, STAGES, Stage
from oreline.stages.transforms import transform
from oreline.stages.wiring import Commit

from house import finish, recipe_for, unrun_pipeline

PICKLES = (b"FastPrimitivesCoder", b"PickleCoder", b"DillCoder")
LLM = {"provider": "gemini", "model": "test-model"}


BRANCHES: dict[str, object] = {
    "filter": {
        "near_queries": {"positives": "union"},
        "near_pairs": {},
        "caps": {"per_document": 1, "choose": "rating"},
    },
    "select": {"near_queries": {}},
    "mine": {"index": {"kind": "faiss_hnsw"}},
    "dedup": {"components": "distributed"},
    "decontaminate": {"against": [{"path": "unread.txt"}]},
    "synthesize": {"writers": ["retrieval/multi_hop", "retrieval/persona"]},
    "judge": {
        "scorers": ["graded", "cross_encoder"],
        "cross_encoder": {"model": "unread"},
        "cascade": {"llm": {"model": "strong"}},
    },
}
"""Settings that add steps to a graph."""


def graph_of(stage: Stage, folder: Path, **sections: object) -> beam_runner_api_pb2.Pipeline:
    recipe = recipe_for(folder, llm=LLM, **sections)
    for source in set(inputs_of(recipe, stage).values()):
        finish(recipe, source, {})
    job = Job(str(folder), stage.name, recipe, inputs_of(recipe, stage))
    with unrun_pipeline() as pipeline:
        _ = pipeline | transform(stage.name, job) | Commit(job, stage, Pending("", {}, ""))
        return pipeline.to_runner_api()


def pickled_edges(graph: beam_runner_api_pb2.Pipeline) -> list[str]:
    """Returns each collection whose coder, or a component of it, may pickle."""
    coders = graph.components.coders

    def pickles(coder_id: str) -> bool:
        coder = coders[coder_id]
        if any(name in coder.spec.payload for name in PICKLES):
            return True
        return any(pickles(part) for part in coder.component_coder_ids)

    return [
        f"{each.unique_name} ({coders[each.coder_id].spec.urn})"
        for each in graph.components.pcollections.values()
        if pickles(each.coder_id)
    ]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_no_edge_of_a_stage_is_pickled(stage: Stage, tmp_path: Path) -> None:
    inside = ("RunInference", "Impulse")
    found = [edge for edge in pickled_edges(graph_of(stage, tmp_path)) if not any(name in edge for name in inside)]
    assert found == []


@pytest.mark.parametrize("stage", ["dedup", "filter", "judge", "mine", "select", "synthesize"])
def test_no_edge_of_an_optional_step_is_pickled(stage: str, tmp_path: Path) -> None:
    assert pickled_edges(graph_of(BY_NAME[stage], tmp_path, **BRANCHES)) == []


def test_a_pickled_edge_is_found() -> None:
    with unrun_pipeline() as pipeline:
        _ = pipeline | beam.Create([object]) | "Objects" >> beam.Map(repr).with_output_types(object)
        assert any("Objects" in edge for edge in pickled_edges(pipeline.to_runner_api()))


def test_building_a_graph_reads_and_writes_nothing(tmp_path: Path) -> None:
    for stage in STAGES:
        recipe = recipe_for(tmp_path / "not-there", llm=LLM)
        job = Job(recipe.output, stage.name, recipe, inputs_of(recipe, stage))
        with unrun_pipeline() as pipeline:
            _ = pipeline | transform(stage.name, job) | Commit(job, stage, Pending("", {}, ""))
    assert not (tmp_path / "not-there").exists()

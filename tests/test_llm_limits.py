"""How long an answer may get, and what a model can do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.ids import Json, canonical_json
from oreline.llm.providers import Capabilities
from oreline.llm.providers.capabilities import capabilities, unheeded, unmet
from oreline.llm.providers.sampling import Sampling, output_limit, sampling_of
from oreline.recipe.settings import Llm

HERE: dict[str, Json] = {"provider": "openai", "base_url": "http://h/v1", "server": "here"}


def limit(**keys: Json) -> int:
    llm = Llm.model_validate({"model": "gemini-3.5-flash-lite"} | keys)
    return output_limit(
        llm, Sampling(llm.max_output_tokens, thinking_budget=llm.thinking_budget, thinking_level=llm.thinking_level)
    )


def test_a_default_run_of_a_model_that_thinks_has_room_to_think() -> None:
    assert limit() == 2048 + 16384
    assert limit(model="models/gemini-2.5-flash", thinking_budget=-1) == 2048 + 16384
    assert limit(provider="openai", model="gpt-5-mini") == 2048 + 16384


def test_a_stated_budget_or_level_is_the_room() -> None:
    assert limit(thinking_budget=0) == 2048
    assert limit(thinking_budget=100) == 2148
    assert [limit(thinking_level=level) for level in ("minimal", "low", "medium", "high")] == [
        2048 + 2048,
        2048 + 8192,
        2048 + 16384,
        2048 + 32768,
    ]


def test_models_that_answer_at_once_and_servers_of_ones_own_get_the_answers_length() -> None:
    assert limit(model="gemini-2.0-flash") == 2048
    assert limit(provider="openai", model="gpt-4o-mini") == 2048
    assert limit(provider="openai", model="ft:gpt-4o-mini:us:x:1") == 2048
    assert limit(model="qwen", **HERE) == 2048
    assert limit(model="qwen", thinking_level="minimal", **HERE) == 4096


@given(st.integers(1, 100_000), st.one_of(st.none(), st.integers(-1, 60_000)))
def test_the_limit_holds_the_answer_and_what_gemini_allows(answer: int, budget: int | None) -> None:
    found = limit(max_output_tokens=answer, thinking_budget=budget)
    assert answer <= found <= max(answer, 65536)


def test_settings_that_no_provider_knows_are_an_error() -> None:
    assert sampling_of('{"max_output_tokens": 5, "top_p": 0.5}') == Sampling(5, top_p=0.5)
    with pytest.raises(ValueError, match="the setting 'top_k'"):
        sampling_of(canonical_json({"max_output_tokens": 5, "top_k": 3}).decode())


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"model": "gemini-2.5-flash"}, Capabilities(True, False, True, True)),
        ({"model": "gemini-3.5-flash", "project": "p"}, Capabilities(False, False, True, True)),
        ({"model": "gpt-4o", "provider": "openai"}, Capabilities(True, False, False, True)),
        ({"model": "gpt-5", "provider": "openai"}, Capabilities(False, False, False, True)),
        ({"model": "gpt-5", "provider": "openai", "thinking_budget": 0}, Capabilities(True, False, False, True)),
        ({"model": "qwen", **HERE}, Capabilities(True, True, True, False)),
    ],
)
def test_capabilities_are_known_without_a_connection(keys: dict[str, Json], expected: Capabilities) -> None:
    llm = Llm.model_validate(keys)
    assert capabilities(llm) == expected
    assert unmet(llm) == []
    assert bool(unmet(llm.model_copy(update={"logprobs": True}))) is not expected.generated_logprobs


def test_settings_that_a_model_does_not_heed_are_told() -> None:
    llm = Llm(model="gemini-3.5-flash-lite", temperature=0.2, top_p=0.9)
    (told,) = unheeded(llm)
    assert "gemini gemini-3.5-flash-lite does not heed llm.temperature and llm.top_p; leave it out" in told
    assert unheeded(Llm(model="gemini-3.5-flash-lite")) == []
    assert unheeded(llm.model_copy(update={"model": "gemini-3.5-flash"})) == []
    assert unheeded(llm.model_copy(update={"provider": "openai"})) == []

"""Contradictions in a recipe's models."""

import pytest

from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import recipe_from

BASE: dict[str, object] = {"output": "out", "sources": ["docs"]}
HERE = "base_url: 'http://localhost:8000/v1', server: here"


def problems(*overrides: str) -> list[str]:
    return check_recipe(recipe_from(BASE, overrides))


@pytest.mark.parametrize(
    "llm",
    [
        "{model: m, project: p}",
        "{model: m, project: p, location: europe-west4, safety: {harassment: off}, thinking_budget: 0}",
        "{model: m, key_variable: TEAM_KEY}",
        "{provider: openai, model: m}",
        "{provider: openai, model: m, thinking_budget: 0, logprobs: true}",
        f"{{provider: openai, model: m, {HERE}, thinking_budget: 100, key_variable: TEAM_KEY}}",
        f"{{model: a, further_models: [{{model: b}}, {{provider: openai, model: a, {HERE}}}, {{model: c, share: 2}}]}}",
    ],
)
def test_models_of_all_providers_may_be_asked(llm: str) -> None:
    assert problems(f"llm={llm}") == []


@pytest.mark.parametrize(
    ("llm", "message"),
    [
        ("{model: ' '}", "llm.model: the model has no name"),
        ("{model: m, location: us-east1}", "llm.location: it is a region of Vertex AI, which needs a project too; add"),
        ("{provider: openai, model: m, project: p}", "llm.project: it is for Gemini on Vertex AI, but llm.provider is"),
        (
            "{provider: openai, model: m, safety: {harassment: off}}",
            "llm.safety: these are Gemini's filters, but llm.p",
        ),
        ("{model: m, server: s}", "llm.server: it names what stands behind llm.base_url, which is not set"),
        *(
            (
                f"{{model: m, base_url: '{address}', server: s}}",
                "llm.base_url: expected an address such as http://local",
            )
            for address in (
                "localhost:8000",
                "ftp://h",
                "http://",
                "http://h:abc/v1",
                "http://h:99999",
                "http://300.1.1.1/v1",
                "http://[::1/v1",
            )
        ),
        (
            "{model: m, base_url: 'http://h ost/v1', server: s}",
            "llm.base_url: expected an address such as http://local",
        ),
        ("{model: m, base_url: 'http://me:pw@h/v1', server: s}", "llm.base_url: the address holds a user or password"),
        ("{model: m, base_url: 'http://h/v1?key=a', server: s}", "llm.base_url: expected no query in the address"),
        ("{model: m, base_url: 'http://h'}", "llm.base_url: the server behind it needs a name"),
        (
            "{model: m, thinking_budget: 0, thinking_level: low}",
            "llm.thinking_level: a model takes a budget or a level of thinking, not both",
        ),
        (
            "{provider: openai, model: m, thinking_budget: 100}",
            "llm.thinking_budget: OpenAI takes no number of tokens to think; set thinking_level",
        ),
        ("{model: m, project: p, key_variable: K}", "llm.key_variable: Vertex AI takes the machine's default credent"),
        ("{model: m, key_variable: sk-proj-1}", "llm.key_variable: expected the name of an environment variable"),
        (
            "{model: m, further_models: [{model: n}, {model: m, share: 3}]}",
            "llm.further_models.1.model: m already stands in llm; name it once, and give it a larger share there",
        ),
        (
            "{model: m, further_models: [{provider: openai, model: n, project: p}]}",
            "llm.further_models.0.project: it is for Gemini on Vertex AI, but llm.further_models.0.provider is openai",
        ),
    ],
)
def test_what_contradicts_itself_is_told_once_with_what_to_do(llm: str, message: str) -> None:
    (told,) = problems(f"llm={llm}")
    assert message in told


def test_what_a_further_model_inherits_is_told_once() -> None:
    (told,) = problems("llm={model: m, location: us-east1, further_models: [{model: n}, {model: o}]}")
    assert "llm.location: " in told

"""Problems of a recipe's models that their types cannot show: keys that contradict each other."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.settings import Llm, ModelSettings

_SECTION = "{section}"
"""Stands in a message for the dotted key of the section, such as judge.llm."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def model_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields one line per contradiction in a section of models: place, key, what is wrong, what to do."""
    recipe = loaded.recipe
    rater = recipe.filter.rater
    sections: list[tuple[str, Llm | None]] = [
        ("llm", recipe.llm),
        ("synthesize.llm", recipe.synthesize.llm),
        ("filter.rater.llm", rater.llm if rater else None),
        ("judge.llm", recipe.judge.llm),
        ("judge.cascade.llm", recipe.judge.cascade.llm if recipe.judge.cascade else None),
    ]
    for section, llm in sections:
        if llm is None:
            continue
        own = list(_problems(llm))
        for key, message in own:
            yield loaded.problem(f"{section}.{key}", message.replace(_SECTION, section))
        for place, further in enumerate(llm.further_models):
            at = f"{section}.further_models.{place}"
            for key, message in _problems(further):
                if (key, message) not in own:  # it inherited that one
                    yield loaded.problem(f"{at}.{key}", message.replace(_SECTION, at))
        yield from _twice(loaded, section, llm)


def _problems(model: ModelSettings) -> Iterator[tuple[str, str]]:
    """Yields the key and the message of each problem of one model."""
    if not model.model.strip():
        yield "model", "the model has no name; write the provider's name for it"
    yield from _address(model)
    yield from _access(model)
    yield from _thinking(model)
    if model.safety is not None and model.provider != "gemini":
        yield "safety", f"these are Gemini's filters, but {_SECTION}.provider is {model.provider}; leave the key out"


def _address(model: ModelSettings) -> Iterator[tuple[str, str]]:
    if model.base_url is None:
        if model.server is not None:
            yield (
                "server",
                f"it names what stands behind {_SECTION}.base_url, which is not set; add that, or leave server out",
            )
        return
    if not _is_address(model.base_url):
        yield "base_url", "expected an address such as http://localhost:8000"
    elif "@" in urlsplit(model.base_url).netloc:
        yield "base_url", "the address holds a user or password; keys come from the environment, take it out"
    elif "?" in model.base_url or "#" in model.base_url:
        yield "base_url", "expected no query in the address, as paths are added to it; take out what follows the path"
    if model.server is None:
        yield (
            "base_url",
            (
                f"the server behind it needs a name, which marks its answers in the journal; add {_SECTION}.server, "
                "for example server: local"
            ),
        )


def _is_address(text: str) -> bool:
    if not text.startswith(("http://", "https://")) or not (text.isascii() and text.isprintable()) or " " in text:
        return False
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        if host.replace(".", "").isdigit():
            ip_address(host)
        return bool(host) and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets, a port or an IP address that are none
        return False


def _access(model: ModelSettings) -> Iterator[tuple[str, str]]:
    if model.project is not None and model.provider != "gemini":
        yield (
            "project",
            f"it is for Gemini on Vertex AI, but {_SECTION}.provider is {model.provider}; leave one of them out",
        )
    if model.location is not None and model.project is None:
        yield "location", f"it is a region of Vertex AI, which needs a project too; add {_SECTION}.project"
    if model.key_variable is None:
        return
    if not _VARIABLE.fullmatch(model.key_variable):
        yield "key_variable", "expected the name of an environment variable, such as TEAM_KEY, never a key itself"
    if model.project is not None:
        yield (
            "key_variable",
            f"Vertex AI takes the machine's default credentials, no key; leave it out, or {_SECTION}.project",
        )


def _thinking(model: ModelSettings) -> Iterator[tuple[str, str]]:
    if model.thinking_budget is not None and model.thinking_level is not None:
        yield (
            "thinking_level",
            (
                f"a model takes a budget or a level of thinking, not both; leave out {_SECTION}.thinking_level or "
                f"{_SECTION}.thinking_budget"
            ),
        )
    if model.provider == "openai" and model.base_url is None and (model.thinking_budget or 0) > 0:
        yield (
            "thinking_budget",
            "OpenAI takes no number of tokens to think; set thinking_level, or a budget of 0 for no thinking",
        )


def _twice(loaded: LoadedRecipe, section: str, llm: Llm) -> Iterator[str]:
    first: dict[tuple[str, str | None, str], str] = {}
    keys = [section, *(f"{section}.further_models.{place}" for place in range(len(llm.further_models)))]
    for key, model in zip(keys, [llm, *llm.further_models], strict=True):
        known = (model.provider, model.server, model.model)
        if known in first:
            yield loaded.problem(
                f"{key}.model",
                f"{model.model} already stands in {first[known]}; name it once, and give it a larger share there",
            )
        first.setdefault(known, key)

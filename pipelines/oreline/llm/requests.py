"""Requests to a model and what came of them. The key of a request is what the journal knows it by."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Literal, cast

from oreline.ids import Json, canonical_json
from oreline.llm.identity import provider_identity
from oreline.llm.same import Same
from oreline.llm.sharing import assigned
from oreline.prompting.prompt import Rendered
from oreline.recipe.settings import Llm
from oreline.records import column

LANES = 256
"""Lanes of the journal: one per value of a key's first byte."""

AnswerStatus = Literal["ok", "refused", "blocked", "truncated"]


@dataclass(frozen=True)
class Request:
    """One request to a model. Make it with `request_for`, which computes its key.

    `answer_schema` is JSON with its fields in their own order, `settings` canonical JSON. `unit_ids` are the ids that
    the request is about; `context` is JSON that the task itself wants back with the answer. Neither enters the key:
    equal requests are sent once.
    `member` is the place of its model among those of the recipe's section, from 0. With a `scored` text nothing is
    generated: the answer is that text with its tokens' log-probabilities. `items` is how many things its answer lists.
    """

    key: str
    prompt_id: str
    prompt_version: int
    model: str
    system: str | None
    prompt: str
    answer_schema: str
    settings: str
    draw: int
    unit_ids: list[str]
    context: str
    member: int = 0
    scored: str | None = None
    items: int = 1

    @property
    def lane(self) -> int:
        """The journal's lane, 0 to 255: the first byte of the key."""
        return int(self.key[:2], 16)


@dataclass(frozen=True)
class LikelyToken:
    """A token that might have stood at a place, with its log-probability."""

    token: str = column("The token's text.", required=True)
    logprob: float = column("Natural logarithm of its probability.", required=True)


@dataclass(frozen=True)
class TokenLogprob:
    """A generated or scored token with its log-probability."""

    token: str = column("The token's text.", required=True)
    logprob: float = column("Natural logarithm of its probability.", required=True)
    likely: list[LikelyToken] | None = column("The likeliest tokens there, where a request asked for them.")


@dataclass(frozen=True)
class Answer:
    """One attempt at a request as the journal holds it; (request_key, attempt) is its identity."""

    request_key: str = column("Key of the request.", required=True)
    attempt: int = column("Number of the attempt, from 0.", required=True)
    status: AnswerStatus = column("ok, refused, blocked or truncated.", required=True)
    text: str = column("The raw answer; empty if none came.", required=True)
    reason: str | None = column("The provider's own finish or block reason.")
    provider: str | None = column("Provider, or name of the server.")
    model: str | None = column("Model that was asked.")
    model_version: str | None = column("Model version as the provider states it.")
    stage: str | None = column("Stage that asked first.")
    prompt_id: str | None = column("Id of the prompt file.")
    prompt_version: int | None = column("Version of the prompt file.")
    prompt_tokens: int | None = column("Tokens of the prompt.", unit="tokens")
    cached_tokens: int | None = column("Those of them that the provider had cached.", unit="tokens")
    thinking_tokens: int | None = column("Tokens that the model thought.", unit="tokens")
    output_tokens: int | None = column("Tokens of the answer, thinking left out.", unit="tokens")
    dollars: float | None = column("What it cost, where the price was known.", unit="US dollars")
    latency: float | None = column("From sending to the whole answer.", unit="seconds")
    time: str | None = column("When it arrived, ISO 8601, UTC.")
    logprobs: list[TokenLogprob] | None = column("Of the generated or scored tokens, where the provider gives them.")

    @property
    def billed_tokens(self) -> int:
        """Tokens that count against a budget: of the prompt, of thinking and of the answer."""
        return (self.prompt_tokens or 0) + (self.thinking_tokens or 0) + (self.output_tokens or 0)


@dataclass(frozen=True)
class Answered:
    """What came of a request: a usable answer, or a reject reason (see `reasons.py`) with a sentence.

    Where there is a reject, `answer` is the last attempt, or None if the provider gave none.
    """

    request: Request
    answer: Answer | None
    reject: str | None = None
    detail: str | None = None

    @property
    def text(self) -> str:
        """The usable answer's text; raises ValueError if there is none."""
        if self.answer is None or self.reject is not None:
            raise ValueError(f"request {self.request.key} has no usable answer: {self.reject}")
        return self.answer.text


def request_key(
    llm: Llm,
    *,
    system: str | None,
    prompt: str,
    answer_schema: str,
    settings: str,
    draw: int,
    scored: str | None = None,
) -> str:
    """Returns a request's key, 64 hexadecimal digits: sha256 over everything that changes the answer.

    That is provider (or server), model, settings, response schema, system instruction, rendered prompt, draw, and the
    text to score, if there is one; as canonical JSON, which `answer_schema` and `settings` already are.
    """
    # The names stand in alphabetical order; what stands around a prompt, most requests share.
    state = _begun(answer_schema, draw, llm.model).copy()
    said = "" if scored is None else f',"scored":{_encoded(scored)}'
    provider, end = _repeated(provider_identity(llm)), _ended(settings, system)
    state.update(f'{_encoded(prompt)},"provider":{provider}{said}'.encode("utf-8", "surrogatepass") + end)
    return state.hexdigest()


@lru_cache(maxsize=64)
def _begun(answer_schema: str, draw: int, model: str) -> "hashlib._Hash":
    """Returns the hash of a key's JSON up to the prompt, to be copied."""
    begin = f'{{"answer_schema":{answer_schema},"draw":{draw},"model":{_encoded(model)},"prompt":'
    return hashlib.sha256(begin.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=64)
def _ended(settings: str, system: str | None) -> bytes:
    """Returns a key's JSON after provider and scored text."""
    return f',"settings":{settings},"system":{_encoded(system)}}}'.encode("utf-8", "surrogatepass")


def request_for(
    llm: Llm,
    rendered: Rendered,
    *,
    assigned_by: str,
    unit_ids: list[str],
    context: Json = None,
    draw: int = 0,
    scored: str | None = None,
) -> Request:
    """Returns the request that sends a rendered prompt to a model.

    Of several models in a section one is chosen by `assigned_by`, the id of a document or query. `draw` numbers several
    requests of one prompt, from 0. Settings of the recipe go before those of the prompt file. `scored` is a text whose
    log-probabilities as an answer are wanted instead of an answer.
    """
    member, model = assigned(llm, assigned_by)
    frame = _frame(Same(model), Same(rendered.answer_schema), Same(rendered.settings))
    key = request_key(
        model,
        system=rendered.system,
        prompt=rendered.user,
        answer_schema=frame.canonical_schema,
        settings=frame.settings,
        draw=draw,
        scored=scored,
    )
    return Request(
        key=key,
        prompt_id=rendered.prompt_id,
        prompt_version=rendered.prompt_version,
        model=model.model,
        system=rendered.system,
        prompt=rendered.user,
        answer_schema=frame.schema,
        settings=frame.settings,
        draw=draw,
        unit_ids=unit_ids,
        context=_encoded(context),
        member=member,
        scored=scored,
        items=rendered.items,
    )


@dataclass(frozen=True)
class _Frame:
    """What all requests of a prompt file to a model have in common, as JSON.

    `schema` is what is sent: it keeps the order of the fields, in which a model writes them, a reason before its grade.
    """

    canonical_schema: str
    schema: str
    settings: str


@lru_cache(maxsize=64)
def _frame(model: Same[Llm], schema: Same[Json], settings: Same[dict[str, Json]]) -> _Frame:
    stated = {**settings.value, **_settings(model.value)}
    stated.setdefault("max_output_tokens", model.value.max_output_tokens)
    sent = json.dumps(schema.value, ensure_ascii=False, separators=(",", ":"))
    return _Frame(_encoded(schema.value), sent, _encoded(cast("Json", stated)))


@lru_cache(maxsize=256)
def _repeated(text: str | None) -> str:
    """Returns a text of many requests as JSON, such as a system instruction."""
    return _encoded(text)


def _encoded(value: Json) -> str:
    if isinstance(value, str):
        return encode_basestring(value)  # all that the encoder does with a text
    return canonical_json(value).decode("utf-8", "surrogatepass")


def _settings(model: Llm) -> dict[str, Json]:
    """Returns the settings that change answers, only those that are set: a new one leaves old keys as they are."""
    stated: dict[str, Json] = {
        "temperature": model.temperature,
        "top_p": model.top_p,
        "seed": model.seed,
        "thinking_budget": model.thinking_budget,
        "thinking_level": model.thinking_level,
        "safety": cast("dict[str, Json] | None", model.safety),
        "logprobs": model.logprobs or None,
    }
    return {name: value for name, value in stated.items() if value is not None}

"""A reranking server: a cross-encoder over HTTP, in the two protocols that such servers speak.

rerank: {model, query, documents, top_n} to {results: [{index, relevance_score}]}, as vLLM, Jina and Cohere have it;
tei: {query, texts, raw_scores, truncate} to [{index, score}], as Text Embeddings Inference has it.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from oreline.errors import CallError
from oreline.ids import Json
from oreline.judging.cross_encoder import Scores, Unscored
from oreline.llm.keys import SecretKey, find_key
from oreline.recipe.settings import CrossEncoder
from oreline.scripts import one_line

_NOT_TAKEN = (400, 413, 422)
"""What servers answer to a text that they do not take, one that is too long, say."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_MOST_BYTES: Final = 32 * 2**20
_LONGEST_WAIT = 60.0
_SAID_CHARACTERS = 200


class _Passing(Exception):
    """A call without an answer that may get one later; `wait` is what the server asks for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class _Refused(Exception):
    """A call whose documents the server does not take."""


@dataclass(frozen=True)
class Answer:
    """Scores by place, and the tokens that the server says it read."""

    scores: list[float]
    tokens: int = 0


class RerankingServer:
    """The server behind `judge.cross_encoder.server`; may be used by several threads."""

    def __init__(self, settings: CrossEncoder) -> None:
        self._settings = settings
        self._address = address_of(settings)
        self._key: SecretKey | None = None
        if settings.key_variable is not None:
            _, self._key = find_key("the reranking server", [settings.key_variable])

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Returns the scores of documents, `batch` of them per call; raises CallError if the server gives none.

        Documents that the server does not take together are sent one by one, and dropped alone.
        """
        values: list[float | Unscored] = []
        calls = tokens = 0
        for some in _batches(documents, self._settings.batch):
            try:
                found = self._asked(query, some)
            except _Refused as refusal:
                if len(some) > 1:
                    apart = [self.score(query, [each]) for each in some]
                    values.extend(value for each in apart for value in each.values)
                    calls += 1 + sum(each.calls for each in apart)
                    tokens += sum(each.tokens for each in apart)
                    continue
                found, calls = None, calls + 1
                values.append(Unscored("not_taken", str(refusal)))
            if found is not None:
                values.extend(found.scores)
                calls, tokens = calls + 1, tokens + found.tokens
        return Scores(values, calls, tokens)

    def _asked(self, query: str, documents: Sequence[str]) -> Answer:
        retrying = Retrying(
            stop=stop_after_attempt(self._settings.call_attempts),
            retry=retry_if_exception_type(_Passing),
            wait=_wait,
            reraise=True,
        )
        try:
            return retrying(self._once, query, documents)
        except _Passing as error:
            attempts = self._settings.call_attempts
            raise CallError(
                f"judge.cross_encoder.server: {self._address} gave no answer in {attempts} attempts ({error}); see "
                "whether it runs, and run again: what it scored is kept"
            ) from error

    def _once(self, query: str, documents: Sequence[str]) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        body = json.dumps(body_of(self._settings, query, documents)).encode()
        request = Request(self._address, body, headers, method="POST")  # noqa: S310 - the recipe's check wants http
        try:
            with urlopen(request, timeout=self._settings.timeout) as reply:  # noqa: S310 - as above
                raw = reply.read(_MOST_BYTES)
        except HTTPError as error:
            raise self._meant(error) from None
        except (URLError, HTTPException, OSError) as error:
            raise _Passing(self._told(str(getattr(error, "reason", error)) or type(error).__name__)) from None
        return answer_in(raw, len(documents))

    def _meant(self, error: HTTPError) -> Exception:
        """Returns what an HTTP error stands for."""
        with error:
            said = self._told(f"{error.code} {error.read(_MOST_BYTES).decode('utf-8', 'replace')}")
            wait = error.headers.get("Retry-After", "")
        if error.code in _PASSING:
            return _Passing(said, float(wait) if wait.isdigit() else None)
        if error.code in _NOT_TAKEN:
            return _Refused(f"the reranking server does not take it: {said}")
        if error.code in (401, 403):
            variable = self._settings.key_variable
            remedy = f"see the key in {variable}" if variable else "set judge.cross_encoder.key_variable"
            return CallError(f"judge.cross_encoder.server: {self._address} wants another key ({said}); {remedy}")
        return CallError(
            f"judge.cross_encoder.server: {self._address} answers {said}; see the address, and whether "
            f"judge.cross_encoder.protocol is {self._settings.protocol}"
        )

    def _told(self, message: str) -> str:
        told = one_line("".join(sign if sign.isprintable() else " " for sign in message))
        told = told if self._key is None else self._key.hide(told)
        return told if len(told) <= _SAID_CHARACTERS else f"{told[:_SAID_CHARACTERS]}…"


def address_of(settings: CrossEncoder) -> str:
    """Returns where documents are scored: the server's address, with the path that it leaves out."""
    address = (settings.server or "").rstrip("/")
    if address.endswith("/rerank"):
        return address
    return f"{address}/rerank" if urlsplit(address).path or settings.protocol == "tei" else f"{address}/v1/rerank"


def body_of(settings: CrossEncoder, query: str, documents: Sequence[str]) -> dict[str, Json]:
    """Returns what a server is asked."""
    if settings.protocol == "tei":
        return {"query": query, "texts": [*documents], "raw_scores": settings.scores == "raw", "truncate": True}
    return {"model": settings.model, "query": query, "documents": [*documents], "top_n": len(documents)}


def answer_in(raw: bytes, documents: int) -> Answer:
    """Returns the scores in a server's answer, by place; raises CallError if some document has none, or has two."""
    try:
        body: Json = json.loads(raw)
    except ValueError:
        raise CallError("judge.cross_encoder.server: the answer is no JSON; see judge.cross_encoder.server") from None
    listed: Json = body
    if isinstance(body, Mapping):
        listed = body.get("results", body.get("data"))
    scores: dict[int, float] = {}
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, Mapping):
            continue
        place, value = each.get("index"), each.get("relevance_score", each.get("score"))
        if isinstance(place, int) and isinstance(value, int | float) and math.isfinite(value) and place not in scores:
            scores[place] = float(value)
    if set(scores) != set(range(documents)):
        raise CallError(
            f"judge.cross_encoder.server: the answer scores {len(scores)} of {documents} documents; see "
            "judge.cross_encoder.protocol"
        )
    return Answer([scores[place] for place in range(documents)], _tokens(body))


def _tokens(body: Json) -> int:
    usage = body.get("usage") if isinstance(body, Mapping) else None
    total = usage.get("total_tokens") if isinstance(usage, Mapping) else None
    return total if isinstance(total, int) else 0


def _batches(documents: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(documents), size):
        yield documents[start : start + size]


def _wait(state: RetryCallState) -> float:
    """Returns the seconds that the server asks for, else twice as many as before, from half a second on."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.wait if isinstance(error, _Passing) else None
    return min(_LONGEST_WAIT, 0.5 * 2.0 ** (state.attempt_number - 1) if asked is None else asked)

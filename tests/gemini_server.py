"""A local server that speaks the wire protocol of Gemini, the Developer API's and Vertex AI's, for tests and by hand.

    python tests/gemini_server.py --port 8900 --latency 0.2
    GEMINI_API_KEY=local-key oreline run recipe.yaml --set llm.base_url=http://127.0.0.1:8900 --set llm.server=local

It checks key and request, answers with what `gemini_writer` makes of the prompt, counts what it was asked, and makes
faults on demand. Its answers are no model's: they show that everything fits together, and nothing else. As Vertex AI
it takes the tokens of `google_accounts`, in a path that names `project`.
"""

import argparse
import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any, cast

from embedding_wire import Embeddings
from gemini_writer import Schema
from google_accounts import TokenEndpoint
from local_server import Call, LocalServer, logprob, pieces, tokens, variants
from oreline.ids import Json
from server_faults import GARBAGE, Errors, Fault, FaultKind, HttpError, spoiled

__all__ = ["Fault", "FaultKind", "GeminiServer", "HttpError", "tokens"]

_CONFIG_KEYS = frozenset(
    {
        "responseMimeType", "responseJsonSchema", "responseSchema", "maxOutputTokens", "temperature", "candidateCount",
        "topP", "seed", "thinkingConfig", "responseLogprobs", "logprobs",
    }
)  # fmt: skip
_BODY_KEYS = frozenset({"contents", "systemInstruction", "generationConfig", "safetySettings"})
_DEVELOPER = re.compile(r"/v1beta/models/([^/:]+):(\w+)")
_VERTEX = re.compile(r"/v1beta1/projects/([^/]+)/locations/([^/]+)/publishers/google/models/([^/:]+):(\w+)")
_EMBEDDING = ("embedContent", "batchEmbedContents", "predict")
_Body = dict[str, Any]
_RPC = "type.googleapis.com/google.rpc."
FINISH: dict[str, str] = {
    "safety": "SAFETY",
    "recitation": "RECITATION",
    "max_tokens": "MAX_TOKENS",
    "prohibited": "PROHIBITED_CONTENT",
}


def error(code: int, status: str, message: str, details: list[Json] | None = None) -> HttpError:
    """Returns an error as google.rpc writes it."""
    return HttpError(code, {"error": {"code": code, "status": status, "message": message, "details": details or []}})


def _delay(fault: Fault) -> list[Json]:
    return [] if fault.delay is None else [{"@type": f"{_RPC}RetryInfo", "retryDelay": f"{fault.delay}s"}]


def _quota(fault: Fault) -> HttpError:
    violation: Json = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
    details: Json = {"@type": f"{_RPC}QuotaFailure", "violations": [violation]}
    return error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", [details, *_delay(fault)])


ERRORS: Errors = {
    "rate": lambda fault: error(429, "RESOURCE_EXHAUSTED", "Too many requests per minute", _delay(fault)),
    "quota": _quota,
    "server": lambda _: error(500, "INTERNAL", "An internal error has occurred"),
    "bad_request": lambda _: error(400, "INVALID_ARGUMENT", "The request is not taken"),
    "unavailable": lambda _: error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "deadline": lambda _: error(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    "unauthorized": lambda _: error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "forbidden": lambda _: error(403, "PERMISSION_DENIED", "Your project has been denied access."),
    "unknown_model": lambda _: error(404, "NOT_FOUND", "models/other is not found for API version v1beta"),
}


@dataclass
class GeminiServer(LocalServer):
    """The server, in a thread of its own while it is entered. `url` is its address."""

    project: str = "a-project"
    accounts: TokenEndpoint = field(default_factory=TokenEndpoint)
    """Gives Vertex AI's tokens, at /token."""
    thoughts: int = 0
    """Tokens that each answer is said to have been thought over."""
    unlogged: frozenset[str] = frozenset()
    """Models without log-probabilities."""
    counted: int = 0
    """How often tokens were only counted."""
    embeddings: Embeddings = field(default_factory=Embeddings)
    """What its embedding models are like, and what they were asked."""

    async def answer(self, call: Call) -> bytes:
        """Answers generateContent and countTokens of both APIs, and the token endpoint."""
        if call.method == "POST" and call.path == "/token":
            return self.accounts.grant(call.raw)
        model, action = self._addressed(call)
        if self.models is not None and model not in self.models:
            raise error(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta")
        if action == "countTokens":
            self.counted += 1
            return json.dumps({"totalTokens": tokens(_counted_text(call.raw))}).encode()
        if action in _EMBEDDING:
            return await self._embed(json.loads(call.raw), model, action)
        body, prompt, system = _checked(call.raw)
        config = cast("Schema", body["generationConfig"])
        if config.get("responseLogprobs") and model in self.unlogged:
            raise error(400, "INVALID_ARGUMENT", f"Logprobs is not enabled for models/{model}")
        fault = await self.asked(model, body, prompt, ERRORS)
        if fault and fault.kind in ("garbage", "body"):
            content = fault.text.encode() or GARBAGE
        else:
            content = self._content(fault, model, prompt, system, config)
        self.answered(model, body, prompt)
        return content

    async def _embed(self, body: dict[str, Json], model: str, action: str) -> bytes:
        """Answers embedContent, batchEmbedContents and Vertex AI's predict: a vector per content, all parts in one."""
        asked = _embed_requests(body, action)
        texts = [text for text, _, _ in asked]
        fault = await self.asked(model, body, "\n".join(texts), ERRORS)
        if fault is not None and fault.kind in ("garbage", "body"):
            return fault.text.encode() or GARBAGE
        if (refusal := self.embeddings.refusal(texts)) is not None:
            raise error(400, "INVALID_ARGUMENT", refusal)
        self.answered(model, body, "\n".join(texts))
        found = [self.embeddings.vectors([text], dimension, task)[0] for text, task, dimension in asked]
        self.embeddings.sizes[-len(texts) :] = [len(texts)]
        counts = [tokens(text) for text in texts]
        if action == "predict":
            predictions: list[Json] = [
                {"embeddings": {"values": [*vector], "statistics": {"token_count": count, "truncated": False}}}
                for vector, count in zip(found, counts, strict=True)
            ]
            return json.dumps({"predictions": predictions}).encode()
        values: list[Json] = [{"values": [*vector]} for vector in found]
        usage: Json = {"promptTokenCount": sum(counts)}
        shown: dict[str, Json] = {"embedding": values[0]} if action == "embedContent" else {"embeddings": values}
        return json.dumps({**shown, "usageMetadata": usage}).encode()

    def _addressed(self, call: Call) -> tuple[str, str]:
        """Returns the model and what is asked of it, once the caller may ask that."""
        developer, vertex = _DEVELOPER.fullmatch(call.path), _VERTEX.fullmatch(call.path)
        found = developer or vertex
        if (
            call.method != "POST"
            or found is None
            or found[found.lastindex or 0] not in ("generateContent", "countTokens", *_EMBEDDING)
        ):
            raise error(404, "NOT_FOUND", f"{call.method} {call.path} is not served")
        if vertex is not None:
            self._authorized(call, vertex[1])
            return vertex[3], vertex[4]
        if call.headers.get("x-goog-api-key") != self.key:
            info: Json = {"@type": f"{_RPC}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
            raise error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [info])
        assert developer is not None
        return developer[1], developer[2]

    def _authorized(self, call: Call, project: str) -> None:
        if not self.accounts.knows(call.headers.get("authorization", "")) or "x-goog-api-key" in call.headers:
            raise error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if project != self.project:
            permission = (
                f"Permission 'aiplatform.endpoints.predict' denied on resource '//{project}' (or it may not exist)."
            )
            raise error(403, "PERMISSION_DENIED", permission)

    def _content(self, fault: Fault | None, model: str, prompt: str, system: str, config: Schema) -> bytes:
        kind = fault.kind if fault else ""
        schema = cast("Schema", config.get("responseJsonSchema", config.get("responseSchema", {"type": "string"})))
        text = spoiled(fault, self.written(model, prompt, schema))
        counted = tokens(text)
        usage: dict[str, Json] = {
            "promptTokenCount": tokens(system + prompt),
            "candidatesTokenCount": counted,
            "totalTokenCount": tokens(system + prompt) + counted + self.thoughts,
        }
        if self.thoughts:
            usage["thoughtsTokenCount"] = self.thoughts
        body: dict[str, Json] = {"usageMetadata": usage, "modelVersion": model, "responseId": "local"}
        if kind == "blocked_prompt":
            body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        elif kind != "no_candidates":
            body["candidates"] = [
                _candidate(
                    FINISH.get(kind, "STOP"),
                    text,
                    logged=bool(config.get("responseLogprobs")),
                    most=cast("int", config.get("logprobs", 0)),
                )
            ]
        return json.dumps(body).encode()


def _embed_requests(body: dict[str, Json], action: str) -> list[tuple[str, str, int | None]]:
    """Returns text, task and dimension of each vector that is asked for."""
    read = cast("_Body", body)
    if action == "predict":
        parameters = read.get("parameters", {})
        asked = [(each["content"], each.get("task_type", "")) for each in read["instances"]]
        return [(text, task, parameters.get("outputDimensionality")) for text, task in asked]
    found = []
    for each in read["requests"] if action == "batchEmbedContents" else [read]:
        config = {**each, **each.get("embedContentConfig", {})}
        text = "".join(part["text"] for part in each["content"]["parts"])
        found.append((text, config.get("taskType", ""), config.get("outputDimensionality")))
    return found


def _candidate(finish: str, text: str, *, logged: bool, most: int = 0) -> dict[str, Json]:
    candidate: dict[str, Json] = {"finishReason": finish, "index": 0}
    if text:
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    if logged:
        chosen: list[Json] = [{"token": each, "logProbability": logprob(each)} for each in pieces(text)]
        result: dict[str, Json] = {"chosenCandidates": chosen}
        if most:
            result["topCandidates"] = [{"candidates": _likely(each, most)} for each in pieces(text)]
        candidate["logprobsResult"] = result
    return candidate


def _likely(piece: str, most: int) -> list[Json]:
    found = sorted(variants(piece), key=lambda each: (-logprob(each), each))[:most]
    return [{"token": each, "logProbability": logprob(each)} for each in found]


def _counted_text(raw: bytes) -> str:
    body = json.loads(raw)
    system = body.get("systemInstruction", {}).get("parts", [])
    return "".join(part["text"] for part in [*system, *(part for each in body["contents"] for part in each["parts"])])


def _checked(raw: bytes) -> tuple[dict[str, Json], str, str]:
    """Returns body, prompt and system instruction of a request; raises HttpError as the API does."""
    body = json.loads(raw)
    if unknown := set(body) - _BODY_KEYS:
        raise error(400, "INVALID_ARGUMENT", f"Unknown name {min(unknown)!r}: Cannot find field.")
    contents = body.get("contents")
    if not contents or contents[0].get("role") != "user" or not contents[0].get("parts"):
        raise error(400, "INVALID_ARGUMENT", "contents: needs a part by the user")
    config = body.get("generationConfig", {})
    if unknown := set(config) - _CONFIG_KEYS:
        raise error(400, "INVALID_ARGUMENT", f"Unknown name {min(unknown)!r} at 'generation_config'")
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    if schema is not None and config.get("responseMimeType") != "application/json":
        raise error(400, "INVALID_ARGUMENT", "a response schema needs the MIME type application/json")
    if schema is not None and not isinstance(schema, dict):
        raise error(400, "INVALID_ARGUMENT", "the response schema is no object")
    thinking = config.get("thinkingConfig", {})
    if len(thinking) > 1:
        raise error(400, "INVALID_ARGUMENT", "You can only set only one of thinking budget and thinking level.")
    system = "".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", []))
    return body, "".join(part["text"] for part in contents[0]["parts"]), system


def main() -> None:
    """Serves until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--key", default="local-key", help="the key that is accepted")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--fault-share", type=float, default=0.0, help="share of calls answered with 500")
    arguments = parser.parse_args()
    faults = [Fault("server", share=arguments.fault_share)] if arguments.fault_share else []
    with GeminiServer(arguments.key, arguments.latency, arguments.port, faults=faults) as server:
        print(f"serving at {server.url}; the key is {arguments.key!r}; Ctrl-C ends it", flush=True)  # noqa: T201 - a program
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{sum(server.answers.values())} answers")  # noqa: T201 - a program


if __name__ == "__main__":
    main()

"""A local server that speaks OpenAI's protocol, for tests and by hand: chat completions, and what vLLM adds to them.

    python tests/openai_server.py --port 8901 --latency 0.2
    oreline run recipe.yaml --set llm.provider=openai --set llm.base_url=http://127.0.0.1:8901/v1 --set llm.server=local

It checks key and request, answers with what `gemini_writer` makes of the prompt, counts what it was asked, and makes
faults on demand. Its tokens are four characters each; `tokenize` and `prompt_logprobs` are vLLM's.
"""

import argparse
import json
import threading
from dataclasses import dataclass, field
from typing import cast

from embedding_wire import Embeddings, as_base64
from gemini_writer import Schema
from local_server import Call, LocalServer, likely, logprob, pieces, tokens
from oreline.ids import Json
from server_faults import GARBAGE, Errors, Fault, HttpError, spoiled

_CHAT_KEYS = frozenset(
    {
        "model", "messages", "response_format", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed",
        "reasoning_effort", "logprobs", "top_logprobs", "thinking_token_budget", "chat_template_kwargs",
    }
)  # fmt: skip
_EFFORTS = ("none", "minimal", "low", "medium", "high")
FINISH: dict[str, str] = {"safety": "content_filter", "prohibited": "content_filter", "max_tokens": "length"}
REFUSAL = "I cannot help with that."


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> HttpError:
    """Returns an error as OpenAI writes it."""
    body: Json = {"error": {"message": message, "type": code, "param": None, "code": code}}
    return HttpError(status, body, headers or {})


def _delay(fault: Fault) -> dict[str, str]:
    return {} if fault.delay is None else {"Retry-After": f"{fault.delay:g}"}


ERRORS: Errors = {
    "rate": lambda fault: error(429, "rate_limit_exceeded", "Rate limit reached for requests", _delay(fault)),
    "quota": lambda _: error(429, "insufficient_quota", "You exceeded your current quota, please check your plan"),
    "server": lambda _: error(500, "server_error", "The server had an error while processing your request"),
    "bad_request": lambda _: error(400, "invalid_request_error", "The request is not taken"),
    "blocked_prompt": lambda _: error(400, "content_filter", "The prompt was filtered"),
    "unavailable": lambda _: error(503, "overloaded", "The engine is currently overloaded, please try again later"),
    "deadline": lambda _: error(504, "gateway_timeout", "The upstream server did not answer in time"),
    "unauthorized": lambda _: error(401, "invalid_api_key", "Incorrect API key provided"),
    "forbidden": lambda _: error(403, "permission_denied", "Your project does not have access to this"),
    "unknown_model": lambda _: error(404, "model_not_found", "The model `other` does not exist"),
}


@dataclass
class OpenAiServer(LocalServer):
    """The server, in a thread of its own while it is entered. `url` is its address, with /v1."""

    thoughts: int = 0
    """Tokens that each answer is said to have been thought over."""
    vllm: bool = True
    """Whether it has vLLM's `tokenize` and `prompt_logprobs`."""
    vocabulary: dict[int, str] = field(default_factory=dict)
    """The tokens that it made, by id."""
    embeddings: Embeddings = field(default_factory=lambda: Embeddings(384, 32))
    """What its embedding model is like, and what it was asked."""
    packs: bool = True
    """Whether vectors come in base64 if that is asked for; some servers give lists all the same."""
    counted: int = 0
    """How often text was made into tokens."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, call: Call) -> bytes:
        """Answers /v1/models, /v1/chat/completions, and as a vLLM /tokenize and /v1/completions."""
        if self.key and call.headers.get("authorization") != f"Bearer {self.key}":
            raise error(401, "invalid_api_key", f"Incorrect API key provided: {call.headers.get('authorization')}")
        if (call.method, call.path) == ("GET", "/v1/models"):
            return json.dumps({"object": "list", "data": [{"id": each} for each in sorted(self.models or ())]}).encode()
        if call.method == "POST" and call.path == "/v1/chat/completions":
            return await self._chat(self._body(call))
        if call.method == "POST" and call.path == "/v1/embeddings":
            return await self._embed(self._body(call))
        if call.method == "POST" and call.path == "/tokenize" and self.vllm:
            return self._tokenize(self._body(call))
        if call.method == "POST" and call.path == "/v1/completions":
            return self._complete(self._body(call))
        raise HttpError(404, {"detail": "Not Found"})

    def _body(self, call: Call) -> dict[str, Json]:
        body = json.loads(call.raw)
        if self.models is not None and body["model"] not in self.models:
            raise error(404, "model_not_found", f"The model `{body['model']}` does not exist")
        return cast("dict[str, Json]", body)

    async def _embed(self, body: dict[str, Json]) -> bytes:
        if unknown := set(body) - {"model", "input", "encoding_format", "dimensions"}:
            raise error(400, "invalid_request_error", f"Unrecognized request argument: {min(unknown)}")
        texts = cast("list[str]", body["input"])
        fault = await self.asked(str(body["model"]), body, "\n".join(texts), ERRORS)
        if fault is not None and fault.kind in ("garbage", "body"):
            return fault.text.encode() or GARBAGE
        if (refusal := self.embeddings.refusal(texts)) is not None:
            raise error(413, "validation", refusal)
        self.answered(str(body["model"]), body, "\n".join(texts))
        found = self.embeddings.vectors(texts, cast("int | None", body.get("dimensions")))
        packed = body.get("encoding_format") == "base64" and self.packs
        data: list[Json] = [
            {"object": "embedding", "index": place, "embedding": as_base64(vector) if packed else [*vector]}
            for place, vector in enumerate(found)
        ]
        usage: Json = {"prompt_tokens": sum(map(tokens, texts)), "total_tokens": sum(map(tokens, texts))}
        # In whatever order: the index says whose a vector is.
        return json.dumps({"object": "list", "model": body["model"], "data": data[::-1], "usage": usage}).encode()

    async def _chat(self, body: dict[str, Json]) -> bytes:
        _check(body)
        model = str(body["model"])
        system, prompt = _said(body, "system"), _said(body, "user")
        fault = await self.asked(model, body, prompt, ERRORS)
        if fault is not None and fault.kind == "blocked_prompt":
            raise ERRORS["blocked_prompt"](fault)
        if fault and fault.kind in ("garbage", "body"):
            content = fault.text.encode() or GARBAGE
        else:
            content = self._completion(fault, body, system, prompt)
        self.answered(model, body, prompt)
        return content

    def _completion(self, fault: Fault | None, body: dict[str, Json], system: str, prompt: str) -> bytes:
        kind = fault.kind if fault else ""
        text = spoiled(fault, self.written(str(body["model"]), prompt, _schema(body)))
        refused = kind == "recitation"
        message: Json = {
            "role": "assistant",
            "content": None if refused else text,
            "refusal": REFUSAL if refused else None,
        }
        choice: dict[str, Json] = {"index": 0, "message": message, "finish_reason": FINISH.get(kind, "stop")}
        if body.get("logprobs"):
            most = cast("int", body.get("top_logprobs", 0))
            logged: list[Json] = [
                {"token": each, "logprob": logprob(each), "bytes": None, "top_logprobs": likely(each, most)}
                for each in pieces(text)
            ]
            choice["logprobs"] = {"content": logged, "refusal": None}
        return json.dumps(
            {
                "id": "local",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [] if kind == "no_candidates" else [choice],
                "usage": self._usage(tokens(system + prompt), tokens(text) + self.thoughts),
            }
        ).encode()

    def _usage(self, prompt: int, completion: int) -> Json:
        usage: dict[str, Json] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        if self.thoughts:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.thoughts}
        return usage

    def _tokenize(self, body: dict[str, Json]) -> bytes:
        self.counted += 1
        if "messages" in body:
            messages = cast("list[dict[str, str]]", body["messages"])
            text = "".join(f"<{each['role']}>{each['content']}" for each in messages) + "<assistant>"
        else:
            text = str(body["prompt"])
        ids = [self._id(piece) for piece in pieces(text)]
        return json.dumps({"count": len(ids), "max_model_len": 8192, "tokens": ids}).encode()

    def _id(self, piece: str) -> int:
        number = int.from_bytes(piece.encode(), "big")
        self.vocabulary[number] = piece
        return number

    def _complete(self, body: dict[str, Json]) -> bytes:
        prompt = cast("list[int]", body["prompt"])
        self.bodies.append(body)
        choice: dict[str, Json] = {"index": 0, "text": "!", "finish_reason": "length", "logprobs": None}
        if self.vllm:
            choice["prompt_logprobs"] = [None, *(self._scored(token) for token in prompt[1:])]
        return json.dumps(
            {
                "id": "local",
                "object": "text_completion",
                "created": 0,
                "model": body["model"],
                "choices": [choice],
                "usage": {"prompt_tokens": len(prompt), "completion_tokens": 1, "total_tokens": len(prompt) + 1},
            }
        ).encode()

    def _scored(self, token: int) -> Json:
        """Returns the token's log-probability beside that of a likelier one, as prompt_logprobs of 1 do."""
        piece = self.vocabulary[token]
        return {
            "7": {"logprob": -0.001, "rank": 1, "decoded_token": " the"},
            str(token): {"logprob": logprob(piece), "rank": 9, "decoded_token": piece},
        }


def _said(body: dict[str, Json], role: str) -> str:
    messages = cast("list[dict[str, str]]", body["messages"])
    return "".join(each["content"] for each in messages if each["role"] == role)


def _schema(body: dict[str, Json]) -> Schema:
    wanted = cast("dict[str, dict[str, Json]]", body.get("response_format", {}))
    return cast("Schema", wanted.get("json_schema", {}).get("schema", {"type": "string"}))


def _check(body: dict[str, Json]) -> None:
    """Raises HttpError for what the API refuses."""
    if unknown := set(body) - _CHAT_KEYS:
        raise error(400, "invalid_request_error", f"Unrecognized request argument supplied: {min(unknown)}")
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise error(400, "invalid_request_error", "Setting both max_tokens and max_completion_tokens is not allowed")
    if body.get("reasoning_effort", "none") not in _EFFORTS:
        raise error(400, "invalid_request_error", f"Invalid value: {body['reasoning_effort']!r}")
    wanted = cast("dict[str, Json]", body.get("response_format", {}))
    shown = cast("dict[str, Json]", wanted.get("json_schema", {}))
    if wanted.get("type") != "json_schema" or (shown.get("strict") and not _closed(shown["schema"])):
        raise error(400, "invalid_request_error", "Invalid schema for response_format 'answer'")


def _closed(schema: Json) -> bool:
    """Says whether every object of a schema is closed and requires all its properties, as strict mode asks."""
    if isinstance(schema, list):
        return all(_closed(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    if "properties" in schema:
        properties, required = cast("dict[str, Json]", schema["properties"]), cast("list[str]", schema.get("required"))
        if schema.get("additionalProperties") is not False or set(properties) != set(required or []):
            return False
    return "minLength" not in schema and all(_closed(each) for each in schema.values())


def main() -> None:
    """Serves until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--key", default="", help="the key that is accepted; without it any is")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with OpenAiServer(arguments.key, arguments.latency, arguments.port) as server:
        print(f"serving at {server.url}; Ctrl-C ends it", flush=True)  # noqa: T201 - a program
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{sum(server.answers.values())} answers")  # noqa: T201 - a program


if __name__ == "__main__":
    main()

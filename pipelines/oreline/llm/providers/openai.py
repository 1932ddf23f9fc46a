"""Servers that speak OpenAI's protocol: OpenAI itself, or whatever stands behind `base_url`, such as vLLM or Ollama."""

import asyncio
from collections.abc import Sequence
from typing import cast

import aiohttp
import openai
from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI, DefaultAioHttpClient
from openai.types.chat import ChatCompletion

from oreline.ids import Json
from oreline.llm.keys import SecretKey
from oreline.llm.providers import vllm
from oreline.llm.providers.connections import HOOKS, PLAIN, said
from oreline.llm.providers.exchanges import exchange
from oreline.llm.providers.openai_embeddings import embedded_of
from oreline.llm.providers.openai_errors import code_and_message, failure_kind, wait_asked
from oreline.llm.providers.openai_messages import body_of, reply_of
from oreline.llm.providers.protocol import AT_ONCE, CallFailed, Embedded, Reply, Turn
from oreline.llm.requests import Request
from oreline.recipe.settings import ModelSettings

_ADDRESS = "https://api.openai.com/v1"
"""Said outright: a variable of the environment must not send the answers' journal key to another server."""

_NO_KEY = "none"
"""The client wants a key; a server without one does not look at it."""

_BROKEN = (openai.OpenAIError, aiohttp.ClientError, OSError, ValueError, RuntimeError)
"""Connections and bodies that break, timeouts included: one that is no JSON is a ValueError. RuntimeError is an openai
package without its extra aiohttp."""

_MISSHAPEN = (TypeError, AttributeError, LookupError, RecursionError, ArithmeticError)
"""What the openai package runs into while it reads JSON of another shape than the API's, which it does not check."""


class OpenAi:
    """An OpenAI-compatible server behind the openai package's asynchronous client, which is made on first use."""

    def __init__(self, model: ModelSettings, key: SecretKey | None) -> None:
        self._model = model
        self._key = key
        self._client: AsyncOpenAI | None = None

    async def generate(self, request: Request, turn: Turn = AT_ONCE) -> Reply:
        """Sends a request once; see `Provider`. One with a `scored` text is sent to vLLM's endpoints."""
        try:
            if request.scored is not None:
                await turn.begin()  # and it lasts to the end: scoring takes several exchanges
                async with asyncio.timeout(self._model.timeout):
                    return await vllm.scored(self._open(), request, request.scored)
            async with exchange(turn, self._model.timeout):
                completion = await self._create(request)
        except openai.APIStatusError as error:
            blocked = _blocked(error)
            if blocked is not None:
                return blocked
            raise self._refusal(error) from None
        except (*_BROKEN, *_MISSHAPEN) as error:
            raise self._broken(error) from None
        if not isinstance(completion, ChatCompletion):  # the client gives any body as text whose type is not JSON
            raise CallFailed("transient", "the server answered with something else than JSON")
        try:
            if completion.usage is None and not completion.choices:
                raise self._told_inside(completion)
            return reply_of(completion)  # the package builds it without looking at types
        except _MISSHAPEN as error:
            raise self._broken(error) from None

    async def count_tokens(self, request: Request) -> int | None:
        """Returns the tokens of system instruction and prompt in the server's chat template, if it is a vLLM."""
        if self._model.base_url is None:
            return None
        try:
            async with asyncio.timeout(self._model.timeout):
                tokens = await vllm.tokenized_chat(self._open(), request)
                return None if tokens is None else len(tokens)
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except (*_BROKEN, *_MISSHAPEN) as error:
            raise self._broken(error) from None

    async def embed(self, texts: Sequence[str], task: str, dimension: int | None) -> Embedded:
        """Returns the vectors of texts; see `Embedder`. The protocol has no tasks."""
        del task
        # Base64 is what the package itself asks for: a quarter of the bytes, and no digit is lost.
        body: dict[str, object] = {"model": self._model.model, "input": [*texts], "encoding_format": "base64"}
        if dimension is not None:
            body["dimensions"] = dimension
        try:
            async with asyncio.timeout(self._model.timeout):
                found = await self._open().post("/embeddings", cast_to=object, body=body)
            return embedded_of(found)
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except (*_BROKEN, *_MISSHAPEN) as error:
            raise self._broken(error) from None

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _create(self, request: Request) -> object:
        # As a plain post: the client's own method walks through all of its arguments, at 40 % of a call's cost.
        body = body_of(self._model, request)
        return await self._open().post("/chat/completions", cast_to=ChatCompletion, body=body)

    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            most = self._model.concurrency  # the package's own limit is 1,000, of whichever HTTP library it uses
            limits = type(DEFAULT_CONNECTION_LIMITS)(max_connections=most, max_keepalive_connections=most)
            self._client = AsyncOpenAI(
                api_key=self._key.reveal() if self._key else _NO_KEY,
                base_url=self._model.base_url or _ADDRESS,
                timeout=self._model.timeout,
                max_retries=0,
                default_headers=PLAIN,
                http_client=DefaultAioHttpClient(limits=limits, event_hooks=HOOKS),
            )
        return self._client

    def _refusal(self, error: openai.APIStatusError) -> CallFailed:
        code, said = code_and_message(cast("Json", error.body), error.message)
        kind = failure_kind(error.status_code, code, said)
        message = self._hide(f"{error.status_code} {code}: {said}".replace(" :", ":"))
        if error.status_code == 404 and "model" not in (code + said).lower() and self._model.base_url is not None:
            message += f"; llm.base_url is {self._model.base_url}, most servers want it to end in /v1"
        return CallFailed(kind, message, wait_asked(error.response.headers))

    def _told_inside(self, completion: ChatCompletion) -> CallFailed:
        """Returns the failure that a 200 without choices and usage stands for: routers put their errors into it."""
        error: Json = (completion.model_extra or {}).get("error")
        code, said = code_and_message({"error": error or {}}, "the answer holds neither choices nor usage")
        status = error.get("code") if isinstance(error, dict) else None
        kind = failure_kind(status if isinstance(status, int) and status >= 400 else 500, code, said)
        return CallFailed(kind, self._hide(f"{status} {code}: {said}".replace(" :", ":") if status else said))

    def _broken(self, error: Exception) -> CallFailed:
        refused = _refused(error)
        if refused is not None:
            return CallFailed("transient", self._hide(said(refused)))
        if isinstance(error, TimeoutError | openai.APITimeoutError):
            return CallFailed("transient", f"no answer within llm.timeout, {self._model.timeout:g} seconds")
        if isinstance(error, _MISSHAPEN):
            message = self._hide(f"{type(error).__name__}: {error}")
            return CallFailed("transient", f"the answer's JSON has another shape than the API's ({message})")
        cause = f" ({type(error.__cause__).__name__}: {said(error.__cause__)})" if error.__cause__ else ""
        return CallFailed("transient", self._hide(f"{type(error).__name__}: {error}{cause}"))

    def _hide(self, text: str) -> str:
        return self._key.hide(text) if self._key else text


def _refused(error: BaseException) -> aiohttp.ClientConnectorError | None:
    """Returns the refused connection behind an error: the package's HTTP client takes it for a timeout."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientConnectorError):
        cause = cause.__cause__
    return cause


def _blocked(error: openai.APIStatusError) -> Reply | None:
    """Returns the reply that an error stands for: a prompt that was filtered is an answer, and final."""
    code, _ = code_and_message(cast("Json", error.body), error.message)
    if error.status_code == 400 and code in ("content_filter", "content_policy_violation"):
        return Reply(status="blocked", text="", reason=code)
    return None

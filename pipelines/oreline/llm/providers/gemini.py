"""Gemini through google-genai, 2.x and 3.x: the Developer API and Vertex AI."""

import asyncio
import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import aiohttp
from google import genai
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.genai import errors, types
from pydantic import ValidationError

from oreline.llm.keys import SecretKey, hide
from oreline.llm.providers.connections import open_session, retry_after, trusting
from oreline.llm.providers.exchanges import exchange
from oreline.llm.providers.gemini_embeddings import embedded_of
from oreline.llm.providers.gemini_messages import config_of, contents_of, reply_of
from oreline.llm.providers.gemini_response import Response
from oreline.llm.providers.google_errors import details_of, failure_kind, remedy, retry_delay
from oreline.llm.providers.protocol import AT_ONCE, CallFailed, Embedded, Reply, Turn
from oreline.llm.requests import Request
from oreline.recipe.settings import ModelSettings

_DEVELOPER_VERSION = "v1beta"
_VERTEX_VERSION = "v1beta1"
"""Said outright: google-genai 3.x would take the Developer API's v1, which has refused system instructions and
response schemas, and a variable of the environment would change either."""

_DEVELOPER_ADDRESS = "https://generativelanguage.googleapis.com/"
VERTEX_LOCATION = "global"

_DEADLINE = "X-Server-Timeout"
_SHORTEST_DEADLINE = 10.0
"""Seconds: the API is told how long an answer is waited for, as google-genai does, and takes no shorter time."""

_BROKEN = (aiohttp.ClientError, OSError, errors.UnknownApiResponseError, ValueError, RuntimeError, ImportError)
"""Connections and bodies that break: one that is no JSON is a ValueError. The last is a variable of the environment
that names an HTTP client which is not installed."""

_MISSHAPEN = (TypeError, AttributeError, LookupError, RecursionError, ArithmeticError)
"""What google-genai runs into while it reads JSON of another shape than the API's."""


class Gemini:
    """Gemini behind google-genai's asynchronous client, which is made on first use.

    Make it with `developer_api` or `vertex_ai`. `hide` takes secrets out of messages.
    """

    def __init__(
        self,
        model: ModelSettings,
        open_client: Callable[[types.HttpOptions], genai.Client],
        options: types.HttpOptions,
        hide: Callable[[str], str],
    ) -> None:
        self._model = model
        self._open_client = open_client
        self._options = options
        self._hide = hide
        self._client: genai.Client | None = None
        self._session: aiohttp.ClientSession | None = None

    async def generate(self, request: Request, turn: Turn = AT_ONCE) -> Reply:
        """Sends a request once; see `Provider`."""
        if request.scored is not None:
            raise CallFailed("model", "Gemini gives no log-probabilities of a given text; ask a vLLM server for them")
        config = config_of(self._model, request)
        try:
            async with exchange(turn, self._model.timeout):
                response = await self._open().aio.models.generate_content(
                    model=request.model, contents=contents_of(request), config=config
                )
            received = response.sdk_http_response
            body = json.loads(received.body) if received is not None and received.body else None
            return reply_of(Response.model_validate(body or {}))
        except (errors.APIError, GoogleAuthError, TimeoutError, *_BROKEN, *_MISSHAPEN) as error:
            raise self._failure(error) from None  # a response holds headers, which hold the key

    async def count_tokens(self, request: Request) -> int | None:
        """Returns the tokens of system instruction and prompt, without those of the response schema."""
        parts = [types.Part(text=text) for text in (request.system, request.prompt) if text]
        try:
            async with asyncio.timeout(self._model.timeout):
                response = await self._open().aio.models.count_tokens(
                    model=request.model, contents=types.Content(role="user", parts=parts)
                )
        except (errors.APIError, GoogleAuthError, TimeoutError, *_BROKEN, *_MISSHAPEN) as error:
            raise self._failure(error) from None
        return response.total_tokens

    async def embed(self, texts: Sequence[str], task: str, dimension: int | None) -> Embedded:
        """Returns the vectors of texts; see `Embedder`."""
        # A content per text: of plain strings the newer models make one vector for all.
        contents: list[types.ContentUnion] = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        config = types.EmbedContentConfig(task_type=task or None, output_dimensionality=dimension)
        try:
            async with asyncio.timeout(self._model.timeout):
                response = await self._open().aio.models.embed_content(
                    model=self._model.model, contents=contents, config=config
                )
            return embedded_of(response)
        except (errors.APIError, GoogleAuthError, TimeoutError, *_BROKEN, *_MISSHAPEN) as error:
            raise self._failure(error) from None

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aio.aclose()
            self._client.close()
            self._client = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> genai.Client:
        if self._client is None:
            self._session = self._session or open_session()
            with _without_false_claims():
                self._client = self._open_client(self._options.model_copy(update={"aiohttp_client": self._session}))
        return self._client

    def _failure(self, error: Exception) -> CallFailed:
        if isinstance(error, errors.APIError):
            return self._refusal(error)
        if isinstance(error, TimeoutError):
            return CallFailed("transient", f"no answer within llm.timeout, {self._model.timeout:g} seconds")
        message = self._hide(f"{type(error).__name__}: {error}")
        if isinstance(error, (ValidationError, *_MISSHAPEN)):
            return CallFailed("transient", f"the answer's JSON has another shape than the API's ({message})")
        if isinstance(error, RefreshError) and not error.retryable:
            return CallFailed("key", f"{message}; the Google credentials give no token, sign in again")
        return CallFailed("transient", message)

    def _refusal(self, error: errors.APIError) -> CallFailed:
        # google-genai takes status and message from the body as they are, whatever their types.
        details, status, said = details_of(error.details), str(error.status or ""), str(error.message or "no message")
        message = self._hide(f"{error.code} {status}: {said}") + remedy(error.code, said)
        delay = retry_delay(details)
        if delay is None and error.response is not None:
            delay = retry_after(error.response.headers)
        return CallFailed(failure_kind(error.code, details, status, said), message, delay)


@contextmanager
def _without_false_claims() -> Iterator[None]:
    """Drops what google-genai logs where both variables are set: that it uses GOOGLE_API_KEY, whatever it was given."""
    logger = logging.getLogger("google_genai._api_client")
    logger.addFilter(_is_no_claim)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_claim)


def _is_no_claim(record: logging.LogRecord) -> bool:
    return "Using GOOGLE_API_KEY" not in record.getMessage()


def developer_api(model: ModelSettings, key: SecretKey) -> Gemini:
    """Returns the Gemini Developer API for a key."""

    def open_client(options: types.HttpOptions) -> genai.Client:
        # The client would read the certificates for each of four HTTP libraries, in a twentieth of a second each.
        trusted = {"verify": (context := trusting()), "ssl": context}
        shared = options.model_copy(update={"client_args": trusted, "async_client_args": trusted})
        return genai.Client(vertexai=False, api_key=key.reveal(), http_options=shared)

    address = model.base_url or _DEVELOPER_ADDRESS
    return Gemini(model, open_client, _options(model, address, _DEVELOPER_VERSION), key.hide)


def vertex_ai(model: ModelSettings, project: str, credentials: Credentials) -> Gemini:
    """Returns Gemini on Vertex AI, for a project; the client renews the credentials' token when it expires."""

    def open_client(options: types.HttpOptions) -> genai.Client:
        return genai.Client(
            vertexai=True,
            project=project,
            location=model.location or VERTEX_LOCATION,
            credentials=credentials,
            http_options=options,
        )

    def without_token(text: str) -> str:
        return hide(text, credentials.token, "<token>") if credentials.token else text

    return Gemini(model, open_client, _options(model, model.base_url, _VERTEX_VERSION), without_token)


def _options(model: ModelSettings, address: str | None, version: str) -> types.HttpOptions:
    return types.HttpOptions(
        base_url=address,
        api_version=version,
        # Its own timeout would count the time for which a call waits for its turn.
        headers={_DEADLINE: str(math.ceil(max(model.timeout, _SHORTEST_DEADLINE)))},
        retry_options=types.HttpRetryOptions(attempts=1),
    )

"""HTTP as all providers need it: a session that opens as many connections as calls, and what a server asks to wait."""

import importlib
import os
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies

import aiohttp
import certifi

from oreline.llm.providers import exchanges

MOST_BYTES = 16 * 2**20
"""Of an answer's body, at most: several times the longest that a model writes, log-probabilities included."""

PLAIN = {"Accept-Encoding": "identity"}
"""What a client sends whose bodies go through `read_bounded`: a megabyte may unpack to gigabytes."""

_NAMES_SECONDS = 300
_WHOLE_REDIRECTS = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
_PORTS = {"http": 80, "https": 443}
_SSL = re.compile(r" ssl:(?:<[^>]*>|\w+)")


class Disconnected(aiohttp.ClientError):
    """A connection that could not be made or broke; the client library does not know it, and does not hide a retry."""


class Bounded(aiohttp.ClientResponse):
    """A response whose body is read up to `MOST_BYTES`; with a longer one, or one without end, it breaks off."""

    async def read(self) -> bytes:
        """Returns the body; raises ClientPayloadError if it is too long."""
        if self._body is None:
            try:
                self._body = await _joined(self.content.iter_any())
            except BaseException:
                self.close()
                raise
            if self.status == HTTPStatus.OK:  # else what the error means is found out before another call is sent
                await exchanges.end()
        return await super().read()


class Stream(Protocol):
    """The body of a response of httpx or httpx2."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields the body block by block."""
        ...

    async def aclose(self) -> None:
        """Gives the connection back."""
        ...


class Asked(Protocol):
    """A request of httpx or httpx2."""

    @property
    def url(self) -> object:
        """The address; as a string, the whole of it."""
        ...


class Response(Protocol):
    """A response of httpx or httpx2, whichever the openai package uses, before its body is read."""

    stream: Stream
    status_code: int

    @property
    def request(self) -> Asked:
        """What it answers."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""
        ...


async def read_bounded(response: Response) -> None:
    """Reads a response's body up to `MOST_BYTES`, as an event hook.

    Raises ClientPayloadError if it is longer, or packed, which nobody asked for (see `PLAIN`), and Disconnected if it
    sends its caller elsewhere.
    """
    stream = response.stream
    try:
        keep_at_home(response.status_code, response.headers, str(response.request.url))
        packed = response.headers.get("content-encoding", "identity")
        if packed != "identity":
            raise aiohttp.ClientPayloadError(f"the answer is packed ({packed}), though it was asked for as it is")
        body = await _joined(stream)
    finally:
        await stream.aclose()
    library = importlib.import_module(type(response).__module__.partition(".")[0])
    response.stream = library.ByteStream(body)
    if response.status_code == HTTPStatus.OK:
        await exchanges.end()


async def _await_turn(request: object) -> None:
    del request
    await exchanges.begin()


HOOKS: Mapping[str, list[Callable[..., Awaitable[None]]]] = {"request": [_await_turn], "response": [read_bounded]}
"""Event hooks for httpx or httpx2: calls wait for their turn, and bodies are read up to a limit."""


async def _joined(blocks: AsyncIterable[bytes]) -> bytes:
    body = bytearray()
    async for block in blocks:
        body += block
        if len(body) > MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {MOST_BYTES:,} bytes")
    return bytes(body)


async def _in_turn(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Lets a call wait for its turn when it is ready to be sent."""
    await exchanges.begin()
    return await handler(request)


async def _unhidden(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Renames the errors on which google-genai 2.x waits up to ten seconds and sends the request again, unasked."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectionError as error:
        raise Disconnected(f"{type(error).__name__}: {said(error)}") from None


async def _at_home(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps a key where it belongs: aiohttp follows redirects, and takes no header but Authorization off on the way."""
    response = await handler(request)
    try:
        keep_at_home(response.status, response.headers, str(request.url))
    except Disconnected:
        response.close()
        raise
    return response


def keep_at_home(status: int, headers: Mapping[str, str], address: str) -> None:
    """Raises Disconnected for a redirect to another place, which is sent neither key nor prompt.

    Also for one at which the request would become a GET without a body, whatever that is answered with.
    """
    target = headers.get("location")
    if not (HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST) or not target:
        return
    if status in _WHOLE_REDIRECTS and _same_place(target, address):
        return
    raise Disconnected(
        f"{urlsplit(address).hostname} answers {status} and sends its callers to {target}; nothing was sent there: if "
        "that is the right address, write it into base_url"
    )


def _same_place(target: str, base: str) -> bool:
    """Says whether an address has scheme, host and port of another, or is the same host by TLS."""
    try:
        there, here = _place(urljoin(base, target)), _place(base)
    except ValueError:  # no address
        return False
    return there == here or (
        here[0] == "http" and there[0] == "https" and there[1:] == (here[1], 443) and here[2] == 80
    )


def _place(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def said(error: BaseException) -> str:
    """Returns an error's message without the settings of TLS as Python shows them, which aiohttp puts in there."""
    return _SSL.sub("", str(error))


def open_session() -> aiohttp.ClientSession:
    """Returns an HTTP session without a limit of connections; proxies are taken from the environment."""
    # trust_env looks into the environment for every call, so it is off where there is nothing to find.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=_NAMES_SECONDS),
        trust_env=bool(getproxies()),
        middlewares=(_in_turn, _unhidden, _at_home),
        response_class=Bounded,
    )


def trusting() -> ssl.SSLContext:
    """Returns settings of TLS that trust whom google-genai trusts: certifi, or what the environment names instead."""
    authorities = os.environ.get("SSL_CERT_FILE", certifi.where())
    return ssl.create_default_context(cafile=authorities, capath=os.environ.get("SSL_CERT_DIR"))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Returns the seconds that Retry-After asks for, a number or an HTTP date (RFC 9110, 10.2.3), or None."""
    value = headers.get("retry-after")
    if value is None:
        return None
    if (number := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*", value)) is not None:
        return float(number[1])  # the number alone: float takes less for white space than this does
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())

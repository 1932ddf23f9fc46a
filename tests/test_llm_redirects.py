"""Redirects: key and prompt stay where a recipe sends them, whatever a server says."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_server import Call, LocalServer
from openai_server import OpenAiServer
from oreline.llm.providers.connections import Disconnected, keep_at_home
from oreline.recipe.settings import Llm
from providers_house import failure, reply
from server_faults import HttpError

from gemini_server import GeminiServer


@dataclass
class Moving(LocalServer):
    """A server that answers what is asked first by a redirect to `to`; a place without a host is one of its own."""

    status: int = 307
    to: str = ""
    moved: int = 0

    async def answer(self, call: Call) -> bytes:
        if not self.moved:
            self.moved += 1
            raise HttpError(self.status, {}, {"Location": self.to + call.path})
        return await super().answer(call)  # type: ignore[safe-super]  # of the server that it is mixed with


class MovingGemini(Moving, GeminiServer):
    """Gemini's protocol."""


class MovingOpenAi(Moving, OpenAiServer):
    """OpenAI's protocol."""


Pair = tuple[Moving, LocalServer, Llm]


@pytest.fixture(params=["gemini", "openai"])
def moving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A server that redirects, another one of its protocol, and a model behind the first."""
    monkeypatch.setenv("GEMINI_API_KEY", "local-key")
    monkeypatch.setenv("LOCAL_KEY", "local-key")
    server: Moving
    other: LocalServer
    if request.param == "gemini":
        server, other, own = MovingGemini(), GeminiServer(), {"provider": "gemini"}
    else:
        pytest.importorskip("openai")
        server, other, own = MovingOpenAi(), OpenAiServer(), {"provider": "openai", "key_variable": "LOCAL_KEY"}
    with server, other:
        stated = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local", "budget_tokens": 10}
        yield server, other, Llm.model_validate({**stated, **own})


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_within_a_server_is_followed(moving: Pair, status: int) -> None:
    server, _, llm = moving
    server.status = status
    assert reply(llm).status == "ok"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_sent_to_another_port_or_host(moving: Pair, host: str) -> None:
    server, other, llm = moving
    server.to = other.url.replace("127.0.0.1", host)
    found = failure(llm)
    assert found.kind == "transient"
    assert f"answers 307 and sends its callers to http://{host}" in found.message
    assert "write it into base_url" in found.message
    assert not other.calls


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_prompt_on_its_way_is_no_answer(moving: Pair, status: int) -> None:
    server, _, llm = moving
    server.status = status
    found = failure(llm)
    assert (found.kind, f"answers {status}" in found.message) == ("transient", True)
    assert not server.calls


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("https://here.example/b", True),
        ("https://here.example:443/b", True),
        ("https://here.example:444/b", False),
        ("https://there.example/b", False),
        ("http://here.example:8080/b", False),
        ("//here.example/b", True),
        ("//there.example/b", False),
        ("http://[here/b", False),
    ],
)
def test_a_server_may_move_to_tls_and_nowhere_else(target: str, kept: bool) -> None:  # noqa: FBT001 - a case
    if kept:
        keep_at_home(308, {"location": target}, "http://here.example/a")
    else:
        with pytest.raises(Disconnected, match="nothing was sent there"):
            keep_at_home(308, {"location": target}, "http://here.example/a")


def test_a_server_may_not_leave_tls() -> None:
    with pytest.raises(Disconnected, match="nothing was sent there"):
        keep_at_home(307, {"location": "http://here.example/b"}, "https://here.example/a")

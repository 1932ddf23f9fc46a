"""Where requests go if a recipe names no address: seen by a proxy, which is asked for the way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from google_accounts import TokenEndpoint
from local_server import Call, LocalServer
from oreline.ids import Json
from oreline.recipe.settings import Llm
from providers_house import failure
from server_faults import HttpError


@dataclass
class Proxy(LocalServer):
    """A proxy that notes where it is asked to connect to, and refuses; it also gives Google's tokens."""

    accounts: TokenEndpoint = field(default_factory=TokenEndpoint)
    asked_for: list[str] = field(default_factory=list)

    async def answer(self, call: Call) -> bytes:
        if call.path == "/token":
            return self.accounts.grant(call.raw)
        assert call.method == "CONNECT"
        self.asked_for.append(call.path)
        raise HttpError(403, None)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy() as server:
        account = server.accounts.service_account(tmp_path, server.url)
        environment = {
            "HTTPS_PROXY": server.url,
            "NO_PROXY": "127.0.0.1",
            "GEMINI_API_KEY": "a",
            "OPENAI_API_KEY": "b",
            "OPENAI_BASE_URL": "https://elsewhere.example/v1",
            "GOOGLE_GEMINI_BASE_URL": "https://elsewhere.example",
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        }
        for name in ("https_proxy", "no_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize(
    ("keys", "address"),
    [
        ({}, "generativelanguage.googleapis.com:443"),
        ({"project": "p"}, "aiplatform.googleapis.com:443"),
        ({"project": "p", "location": "europe-west4"}, "europe-west4-aiplatform.googleapis.com:443"),
        ({"provider": "openai"}, "api.openai.com:443"),
    ],
)
def test_each_provider_is_asked_at_its_own_address(proxy: Proxy, keys: dict[str, Json], address: str) -> None:
    found = failure(Llm.model_validate({"model": "m"} | keys))
    assert found.kind == "transient"
    assert proxy.asked_for == [address]
    assert "ya29." not in json.dumps(found.message)

"""Fixtures.

gemini_server    a local server that speaks the Gemini Developer API, its key in the environment
"""

from collections.abc import Iterator

import pytest

from gemini_server import GeminiServer


@pytest.fixture
def gemini_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
        monkeypatch.setenv("GEMINI_API_KEY", server.key)
        yield server

"""Fixtures.

gemini_server    a local server that speaks the Gemini Developer API, its key in the environment
unhurried_disk   for all tests: nothing waits for the disk, as no test cuts the power
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from gemini_server import GeminiServer

# In CI every run draws the same examples, so that a change is judged by itself; elsewhere each run draws new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def gemini_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
        monkeypatch.setenv("GEMINI_API_KEY", server.key)
        yield server


@pytest.fixture(scope="session", autouse=True)
def unhurried_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield

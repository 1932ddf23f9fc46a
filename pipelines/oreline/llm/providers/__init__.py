"""Those who answer requests: Gemini, and servers that speak OpenAI's protocol. `opening` chooses among them."""

from oreline.llm.providers.protocol import (
    CallFailed,
    Capabilities,
    Embedded,
    Embedder,
    FailureKind,
    NoTurn,
    Provider,
    Reply,
)

__all__ = ["CallFailed", "Capabilities", "Embedded", "Embedder", "FailureKind", "NoTurn", "Provider", "Reply"]

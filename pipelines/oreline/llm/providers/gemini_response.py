"""What is read of Gemini's responses; anything else in them is passed over.

google-genai would make its own objects of them in Python, all fields that there are, which takes it as long as half of
the rest of a call.
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _Read(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Part(_Read):
    """A piece of an answer: text, or what the model thought."""

    text: str | None = None
    thought: bool | None = None


class Content(_Read):
    """An answer's pieces."""

    parts: list[Part] | None = None


class Token(_Read):
    """A token that was chosen, with the natural logarithm of its probability."""

    token: str | None = None
    log_probability: float | None = None


class TopTokens(_Read):
    """The likeliest tokens at a place."""

    candidates: list[Token] | None = None


class Logprobs(_Read):
    """The tokens of an answer, and the likeliest at each place."""

    chosen_candidates: list[Token] | None = None
    top_candidates: list[TopTokens] | None = None


class Candidate(_Read):
    """An answer, and why it ended there."""

    content: Content | None = None
    finish_reason: str | None = None
    logprobs_result: Logprobs | None = None


class Feedback(_Read):
    """Why a prompt was blocked."""

    block_reason: str | None = None


class Usage(_Read):
    """Tokens; those of the prompt include the cached ones, those of the candidates no thoughts."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    candidates_token_count: int | None = None


class Response(_Read):
    """A response of generateContent; the same on the Developer API and on Vertex AI."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None

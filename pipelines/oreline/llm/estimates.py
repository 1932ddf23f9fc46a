"""How many tokens a call will take, learnt from those before it."""

from collections import deque
from dataclasses import dataclass, field

from oreline.llm.budget import most_prompt_tokens
from oreline.llm.providers import Reply
from oreline.llm.requests import Request

_REMEMBERED = 64


def _remembering() -> deque[float]:
    return deque(maxlen=_REMEMBERED)


@dataclass
class TokenEstimate:
    """Expects what the most expensive of the last 64 calls took: prompts relative to their length, answers as such.

    Before the first answer, it is the most that a call can take.
    """

    most_output: int
    _prompts: deque[float] = field(default_factory=_remembering, init=False)
    _outputs: deque[float] = field(default_factory=_remembering, init=False)
    largest_output: int = field(default=0, init=False)
    """The longest answer so far, thinking included."""

    def of(self, request: Request) -> int:
        """Returns the tokens that a request is expected to take, prompt and output."""
        prompt = most_prompt_tokens(request) * max(self._prompts, default=1.0)
        return int(prompt + max(self._outputs, default=float(self.most_output))) + 1

    def learn(self, request: Request, reply: Reply) -> int | None:
        """Takes note of what a call took; returns its tokens, None if the provider states none."""
        if reply.prompt_tokens is None or reply.output_tokens is None:
            return None
        output = reply.output_tokens + (reply.thinking_tokens or 0)
        self._prompts.append(reply.prompt_tokens / most_prompt_tokens(request))
        self._outputs.append(float(output))
        self.largest_output = max(self.largest_output, output)
        return reply.prompt_tokens + output

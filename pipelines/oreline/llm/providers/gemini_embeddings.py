"""What Gemini's embedContent and batchEmbedContents answer, on the Developer API and on Vertex AI."""

import numpy as np
from google.genai import types

from oreline.llm.providers.protocol import Embedded


def embedded_of(response: types.EmbedContentResponse) -> Embedded:
    """Returns the vectors of a response; what Vertex AI says of tokens and cut texts is in there."""
    found = response.embeddings or []
    stated = [each.statistics for each in found if each.statistics is not None]
    counted = [int(each.token_count) for each in stated if each.token_count is not None]
    # google-genai 2.x has neither of the two fields.
    usage: object = getattr(response, "usage_metadata", None)
    told: object = getattr(usage, "prompt_token_count", None)
    tokens = sum(counted) if counted and len(counted) == len(found) else told if isinstance(told, int) else None
    cut = sum(bool(each.truncated) for each in stated) or int(bool(getattr(response, "truncated", False)))
    return Embedded([np.asarray(each.values or [], np.float32) for each in found], tokens, cut)

"""Encoders behind an API: Gemini, and servers that speak OpenAI's protocol."""

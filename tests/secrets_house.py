"""Looking for a secret wherever a run may have left it: plain or encoded, in files of any kind, compressed or not."""

import base64
import bz2
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

_ZSTD, _GZIP, _ZIP, _BZIP2 = b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PK\x03\x04", b"BZh"
_PICKLED = re.compile(rb"QlpoO[A-Za-z0-9+/]{40,}={0,2}")
"""How Beam writes a pickled function into a pipeline's graph: bzip2 in base64."""


@cache
def forms(secret: str) -> list[bytes]:
    """Returns what a secret looks like in bytes: plain, as UTF-16, percent-encoded, escaped, in base64 and hex."""
    raw = secret.encode()
    found = [raw, secret.encode("utf-16-le"), quote(secret, safe="").encode(), quote(secret).encode()]
    found += [raw.hex().encode(), raw.hex().upper().encode(), secret.replace("/", "\\/").encode()]
    for begin in range(min(3, len(raw))):
        whole = raw[begin:]
        whole = whole[: len(whole) // 3 * 3]  # the last characters depend on what follows
        found += [base64.b64encode(whole), base64.urlsafe_b64encode(whole)]
    return sorted(set(found))


def holding(content: bytes, secrets: Sequence[str]) -> list[str]:
    """Returns the first characters of each secret that some bytes hold, in any form, packed or not."""
    needles = {secret: forms(secret) for secret in secrets}
    layers = list(_layers(content))
    return [secret[:6] for secret, found in needles.items() if any(each in layer for each in found for layer in layers)]


def leaks(folder: Path, secrets: Sequence[str]) -> list[str]:
    """Returns the files below a folder that hold a secret, or have one in their name."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if holding(path.name.encode(), secrets) or (path.is_file() and holding(path.read_bytes(), secrets))
    ]


def _layers(content: bytes) -> Iterator[bytes]:
    """Yields bytes as they are and all that is packed in them."""
    yield content
    for unpacked in _unpacked(content):
        yield from _layers(unpacked)


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield from (bz2.decompress(base64.b64decode(each)) for each in _PICKLED.findall(content))
    if content[:4] == b"PAR1" and content[-4:] == b"PAR1":
        yield _plain(pq.read_table(io.BytesIO(content)))
    elif content.startswith(_ZSTD):
        yield pa.input_stream(pa.py_buffer(content), compression="zstd").read()
    elif content.startswith(_GZIP):
        yield gzip.decompress(content)
    elif content.startswith(_BZIP2):
        yield bz2.decompress(content)
    elif content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    elif content[:1] == b"\x78":
        try:
            yield zlib.decompress(content)
        except zlib.error:
            return


def _plain(table: pa.Table) -> bytes:
    """Returns a table's buffers without compression, metadata included."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=None)) as writer:
        writer.write_table(table)
    return sink.getvalue()

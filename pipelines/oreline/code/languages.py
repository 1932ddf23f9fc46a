"""Programming languages: by a file's ending, with the marks of their comments, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """A language: `line` are marks of comments to the end of the line, `block` those around longer ones."""

    name: str
    line: tuple[str, ...]
    block: tuple[tuple[str, str], ...] = ()


_C_BLOCK = (("/*", "*/"),)
_SLASHES = ("//",)
_HASH = ("#",)
_DASHES = ("--",)

LANGUAGES: dict[str, Language] = {
    ending: language
    for language, endings in (
        (Language("python", _HASH, (('"""', '"""'), ("'''", "'''"))), (".py", ".pyi")),
        (Language("javascript", _SLASHES, _C_BLOCK), (".js", ".mjs", ".cjs", ".jsx")),
        (Language("typescript", _SLASHES, _C_BLOCK), (".ts", ".tsx", ".mts")),
        (Language("java", _SLASHES, _C_BLOCK), (".java",)),
        (Language("kotlin", _SLASHES, _C_BLOCK), (".kt", ".kts")),
        (Language("scala", _SLASHES, _C_BLOCK), (".scala",)),
        (Language("groovy", _SLASHES, _C_BLOCK), (".groovy",)),
        (Language("go", _SLASHES, _C_BLOCK), (".go",)),
        (Language("rust", _SLASHES, _C_BLOCK), (".rs",)),
        (Language("c", _SLASHES, _C_BLOCK), (".c", ".h")),
        (Language("c++", _SLASHES, _C_BLOCK), (".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx")),
        (Language("cuda", _SLASHES, _C_BLOCK), (".cu", ".cuh")),
        (Language("c#", _SLASHES, _C_BLOCK), (".cs",)),
        (Language("swift", _SLASHES, _C_BLOCK), (".swift",)),
        (Language("dart", _SLASHES, _C_BLOCK), (".dart",)),
        (Language("zig", _SLASHES), (".zig",)),
        (Language("php", ("//", "#"), _C_BLOCK), (".php",)),
        (Language("protobuf", _SLASHES, _C_BLOCK), (".proto",)),
        (Language("ruby", _HASH, (("=begin", "=end"),)), (".rb",)),
        (Language("perl", _HASH), (".pl", ".pm")),
        (Language("shell", _HASH), (".sh", ".bash", ".zsh")),
        (Language("powershell", _HASH, (("<#", "#>"),)), (".ps1", ".psm1")),
        (Language("r", _HASH), (".r",)),
        (Language("julia", _HASH, (("#=", "=#"), ('"""', '"""'))), (".jl",)),
        (Language("elixir", _HASH), (".ex", ".exs")),
        (Language("lua", _DASHES, (("--[[", "]]"),)), (".lua",)),
        (Language("sql", _DASHES, _C_BLOCK), (".sql",)),
        (Language("haskell", _DASHES, (("{-", "-}"),)), (".hs",)),
        (Language("ocaml", (), (("(*", "*)"),)), (".ml", ".mli")),
        (Language("erlang", ("%",)), (".erl", ".hrl")),
        (Language("clojure", (";",)), (".clj", ".cljs", ".cljc")),
        (Language("fortran", ("!",)), (".f90", ".f95", ".f03")),
    )
    for ending in endings
}
"""Languages by the ending of a file's name, in lower case."""

BY_NAME: dict[str, Language] = {language.name: language for language in LANGUAGES.values()}
"""Languages by name."""


def language_of(path: str) -> Language | None:
    """Returns the language of a file by the ending of its name, or None."""
    name = path.rpartition("/")[2].lower()
    return LANGUAGES.get(name[name.rfind(".") :]) if "." in name else None

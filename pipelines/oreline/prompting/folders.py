"""Prompts of one's own that go before ours: a folder laid out as ours is."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from oreline import files, resources


def source_of(folder: str | None, prompt: str) -> str:
    """Returns what `load` is to read for a prompt such as `judge/listwise`: the folder's file if it has one, else ours.

    A path that ends in `.md` is a file of one's own already and is returned as it is.
    """
    if folder is None or prompt.endswith(".md"):
        return prompt
    own = files.join(folder, f"{prompt}.md")
    return own if files.exists(own) else prompt


def our_prompts() -> list[str]:
    """Returns the names of all packaged prompts, such as `judge/listwise`, sorted."""
    found = []
    for section in resources.folder("prompts").iterdir():
        if section.is_dir():
            found += [f"{section.name}/{entry.name[:-3]}" for entry in section.iterdir() if entry.name.endswith(".md")]
    return sorted(found)


def folder_problems(folder: str, named: Collection[str]) -> Iterator[str]:
    """Yields what is wrong with a folder of prompts: it is not there, has none, or holds one that nothing would read.

    `named` are the paths that the recipe names itself; such files may lie in the folder too.
    """
    if not files.exists(folder):
        yield f"{folder}: there is no such folder; `oreline init --prompts {folder}` writes ours there, to be edited"
        return
    root = folder.rstrip("/")
    found = [each.path for each in files.walk(root) if each.path.endswith(".md")]
    if not found:
        yield f"{folder}: it holds no prompt; `oreline init --prompts {folder}` writes ours there, to be edited"
    ours = our_prompts()
    for path in sorted(found):
        name = path[len(root) :].lstrip("/").removesuffix(".md")
        if name in ours or path in named:
            continue
        near = get_close_matches(name, ours, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}.md?" if near else f"ours are: {', '.join(ours)}"
        yield f"{path}: no prompt of ours has this name, so nothing would read it; {hint}"

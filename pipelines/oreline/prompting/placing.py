"""Where a template places corpus text, and the tags that stand in the template itself."""

import re
from collections.abc import Collection, Iterator
from functools import cache

from jinja2 import nodes

_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9_-]*)")


@cache
def tags_of(template: str) -> frozenset[str]:
    """Returns the names of the tags that a template writes, such as `passage` for `<passage>`."""
    return frozenset(name.lower() for name in _TAG.findall(template))


def misplaced(tree: nodes.Template, corpus: Collection[str]) -> tuple[str, int] | None:
    """Returns the first input of `corpus` that is not placed whole, and its line in the template, from 1.

    An input is placed whole by `{{ name }}`, also in an `if`; conditions may ask for it.
    """
    whole = {id(name) for name in _placed(tree)}
    for name in tree.find_all(nodes.Name):
        if name.name in corpus and id(name) not in whole:
            return name.name, name.lineno
    return None


def _placed(tree: nodes.Template) -> Iterator[nodes.Node]:
    for output in tree.find_all(nodes.Output):
        for expression in output.nodes:
            yield from _chosen(expression)
    conditions = [each.test for each in tree.find_all(nodes.If)] + [each.test for each in tree.find_all(nodes.CondExpr)]
    for condition in conditions:
        yield condition
        yield from condition.find_all(nodes.Name)


def _chosen(expression: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(expression, nodes.CondExpr):
        yield from _chosen(expression.expr1)
        if expression.expr2 is not None:
            yield from _chosen(expression.expr2)
    else:
        yield expression

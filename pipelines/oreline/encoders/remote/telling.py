"""What is said of an encoder behind an API before a run: what stands in its way, whose key it takes, what it costs."""

from collections.abc import Callable, Iterator

from oreline.encoders.remote import service
from oreline.encoders.remote.service import budget_of, price_of, tokens_read
from oreline.errors import CallError
from oreline.recipe.settings import Encoder


def problems(settings: Encoder, *, access: bool = True) -> Iterator[str]:
    """Yields a sentence for each thing that would keep the service from being asked.

    Without `access` neither keys nor credentials are looked for.
    """
    checks: tuple[Callable[[Encoder], object], ...] = (service.access, budget_of) if access else (budget_of,)
    for check in checks:
        try:
            check(settings)
        except CallError as error:
            yield f"encoder: {error}" if not str(error).startswith("encoder") else str(error)


def told(section: str, settings: Encoder) -> str:
    """Returns one line: which service, for what, whose key, what it costs and may cost; for the run to say."""
    budget = budget_of(settings)
    limited = budget.dollars is not None or budget.tokens is not None
    default = settings.budget_usd is None and settings.budget_tokens is None
    limit = f"budget {budget}" + (f" (the default; set {section}.budget_usd)" if default else "")
    read = tokens_read(settings)
    cut = f", reads {read:,} tokens of a text" if read is not None else ""
    what = f"{settings.server or settings.provider} {settings.model} for embed"
    spending = limit if limited else "no budget"
    return f"{what}: {service.access(settings)}, {price_told(settings)}, {spending}{cut}"


def price_told(settings: Encoder) -> str:
    """Returns the price per million tokens, in words."""
    price = price_of(settings)
    if price is None:
        return "price not known"
    stated = "encoder.price" if price.date is None else f"price of {price.date}"
    return f"{price.rates.input:g} dollars per million tokens, {stated}"

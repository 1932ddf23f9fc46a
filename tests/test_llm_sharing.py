"""Several models in one section: what they inherit, and which of them a document is given to."""

from collections import Counter
from collections.abc import Mapping

from oreline.llm.sharing import assigned
from oreline.recipe.settings import Llm

DOCUMENTS = [f"d/{number}" for number in range(3_000)]


def section(*further: Mapping[str, object], **own: object) -> Llm:
    return Llm.model_validate({"model": "first", "further_models": list(further), **own})


def test_a_further_model_has_the_keys_of_the_section_that_it_leaves_out() -> None:
    llm = section({"model": "second", "temperature": 0.5}, temperature=0.1, timeout=7.0, concurrency=4)
    first, second = llm.members()
    assert (first.model, first.temperature, first.timeout, first.further_models) == ("first", 0.1, 7.0, [])
    assert (second.model, second.temperature, second.timeout, second.concurrency) == ("second", 0.5, 7.0, 4)


def test_a_model_elsewhere_takes_no_address_and_no_other_takes_the_first_ones_price() -> None:
    price = {"input": 1.0, "output": 2.0}
    elsewhere = {"provider": "openai", "base_url": "http://localhost:1", "server": "vllm", "model": "second"}
    llm = section(elsewhere, {"model": "third"}, project="acme", location="global", price=price)
    first, second, third = llm.members()
    assert (first.project, second.project, third.project) == ("acme", None, "acme")
    assert first.price is not None
    assert second.price is None
    assert third.price is None


def test_a_level_of_thinking_takes_the_place_of_a_budget_that_would_be_inherited() -> None:
    llm = section({"model": "second", "thinking_level": "low"}, {"model": "third"}, thinking_budget=0)
    assert [(each.thinking_budget, each.thinking_level) for each in llm.members()] == [
        (0, None),
        (None, "low"),
        (0, None),
    ]


def test_a_section_with_further_models_stays_as_it_is_when_it_is_written_out_and_read_again() -> None:
    llm = section({"model": "second"}, temperature=0.1)
    assert Llm.model_validate(llm.model_dump()) == llm


def test_documents_are_shared_out_in_proportion() -> None:
    llm = section(*({"model": f"m{number}"} for number in range(4)), {"model": "large", "share": 3.0})
    counted = Counter(assigned(llm, doc_id)[1].model for doc_id in DOCUMENTS)
    for model in ("first", "m0", "m1", "m2", "m3"):
        assert abs(counted[model] / len(DOCUMENTS) - 1 / 8) < 0.025
    assert abs(counted["large"] / len(DOCUMENTS) - 3 / 8) < 0.04


def test_another_model_takes_documents_from_the_others_and_moves_nothing_else() -> None:
    before, after = section({"model": "second"}), section({"model": "second"}, {"model": "new"})
    for doc_id in DOCUMENTS:
        now = assigned(after, doc_id)[1].model
        assert now in ("new", assigned(before, doc_id)[1].model)


def test_the_order_of_the_models_does_not_matter() -> None:
    one = Llm.model_validate({"model": "a", "further_models": [{"model": "b"}]})
    other = Llm.model_validate({"model": "b", "further_models": [{"model": "a"}]})
    assert [assigned(one, each)[1].model for each in DOCUMENTS] == [
        assigned(other, each)[1].model for each in DOCUMENTS
    ]

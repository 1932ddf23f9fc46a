"""Prompt files: front matter, sections, inputs; what is wrong is said with file, line and remedy."""

import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel

from oreline import prompting
from oreline.judging.answers import RATER_INPUTS, RaterAnswer
from oreline.prompting import PromptError


class Reply(BaseModel):
    """An answer with a field named title."""

    title: str
    grade: int


GOOD = """---
id: test/reply
version: 2
inputs: {document: corpus, count: value}
answer: Reply
settings: {temperature: 0.5}
---
<!-- system -->
You reply.

<!-- user -->
Give {{ count }} {% if count > 1 %}replies{% else %}reply{% endif %}.
{{ document }}
"""


def load(tmp_path: Path, text: str) -> prompting.Prompt:
    path = tmp_path / "reply.md"
    path.write_text(text)
    return prompting.load(str(path), Reply)


def test_a_prompt_is_rendered_in_two_sections(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    rendered = prompt.render({"document": "A text.", "count": 2})
    assert rendered.system == "You reply."
    assert rendered.user == "Give 2 replies.\n<document>\nA text.\n</document>"
    assert (rendered.prompt_id, rendered.prompt_version, rendered.settings) == ("test/reply", 2, {"temperature": 0.5})
    assert pickle.loads(pickle.dumps(prompt)) == prompt


def test_the_schema_is_the_models_and_keeps_a_field_named_title(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).answer_schema == {
        "type": "object",
        "description": "An answer with a field named title.",
        "properties": {"title": {"type": "string"}, "grade": {"type": "integer"}},
        "required": ["title", "grade"],
    }


def test_a_schema_of_ones_own_goes_before_the_models(tmp_path: Path) -> None:
    own = GOOD.replace("answer: Reply", "answer: {type: object, properties: {title: {type: string}}}")
    assert load(tmp_path, own).answer_schema == {"type": "object", "properties": {"title": {"type": "string"}}}


def test_the_digest_changes_with_every_character(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).digest != load(tmp_path, GOOD.replace("You reply.", "You reply!")).digest


def test_the_system_section_may_be_left_out(tmp_path: Path) -> None:
    text = GOOD.replace("<!-- system -->\nYou reply.\n\n", "")
    assert load(tmp_path, text).render({"document": "x", "count": 1}).system is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("---\nid", "id", "reply.md:1: a prompt file starts with a line `---`"),
        ("}\n---\n<!-- s", "}\n<!-- s", "reply.md:1: the front matter has no end"),
        ("version: 2", "version: two", "reply.md:3: front matter key `version`"),
        ("version: 2\n", "", "front matter key `version`"),
        ("settings:", "setings:", "reply.md:6: front matter key `setings`"),
        ("temperature: 0.5", "temprature: 0.5", "front matter key `settings.temprature`"),
        ("document: corpus", "document: text", "reply.md:4: front matter key `inputs.document`"),
        ("answer: Reply", "answer: Answer", "its answer is 'Answer', but what reads it expects Reply"),
        ("id: test/reply", "id: [", "the front matter is no YAML"),
        ("<!-- user -->", "<!-- person -->", "reply.md:11: unknown section 'person'"),
        ("<!-- user -->\n", "", "there is no user section"),
        ("<!-- system -->\n", "Hello\n<!-- system -->\n", "reply.md:8: text before the first section"),
        ("<!-- system -->", "<!-- user -->", "reply.md:11: a second user section; the first is on line 8"),
        ("{% endif %}", "", "reply.md:1"),
        ("{{ document }}", "{{ documents }}", "reply.md:13: the template uses 'documents'; declare it"),
        (
            "{{ document }}",
            "{{ document | loud }}",
            "reply.md:13: the template has a syntax error (No filter named 'loud'",
        ),
    ],
)
def test_a_broken_prompt_is_said_with_its_place(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in GOOD
    with pytest.raises(PromptError) as caught:
        load(tmp_path, GOOD.replace(before, after, 1))
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"document": "x"}, "the input 'count' is declared but was not given"),
        (
            {"document": "x", "count": 1, "lang": "de"},
            "unknown input 'lang'; its front matter declares document, count",
        ),
        ({"document": 3, "count": 1}, "the input 'document' is corpus text"),
    ],
)
def test_wrong_inputs_are_named(tmp_path: Path, inputs: dict[str, str | int], said: str) -> None:
    with pytest.raises(PromptError, match=said):
        load(tmp_path, GOOD).render(inputs)


def test_a_template_cannot_reach_beyond_its_sandbox(tmp_path: Path) -> None:
    evil = GOOD.replace("{{ count }}", "{{ count.__class__.__mro__ }}")
    with pytest.raises(PromptError, match=r"reply.md:12: the section cannot be rendered"):
        load(tmp_path, evil).render({"document": "x", "count": 1})


def test_an_unknown_prompt_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="there is no prompt 'retrieval/fred'"):
        prompting.load("retrieval/fred", Reply)
    with pytest.raises(PromptError, match="there is no such prompt file"):
        prompting.load(str(tmp_path / "none.md"), Reply)
    (tmp_path / "latin.md").write_bytes(b"---\nid: \xff\n")
    with pytest.raises(PromptError, match="not UTF-8 at byte 8"):
        prompting.load(str(tmp_path / "latin.md"), Reply)


def test_a_prompt_may_leave_out_what_is_offered_and_may_not_ask_for_more(tmp_path: Path) -> None:
    own = tmp_path / "own.md"
    text = "---\nid: own\nversion: 1\ninputs: {query: corpus}\nanswer: RaterAnswer\n---\n<!-- user -->\n{{ query }}\n"
    own.write_text(text)
    prompt = prompting.load(str(own), RaterAnswer, RATER_INPUTS)
    assert "coral" in prompt.render({"instruction": "Find it", "query": "coral reefs"}).user
    own.write_text(text.replace("query", "document"))
    with pytest.raises(PromptError, match=r"declares the input .document..*instruction, query"):
        prompting.load(str(own), RaterAnswer, RATER_INPUTS)


def test_a_section_without_corpus_text_is_filled_in_anew_for_other_values_and_types(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD.replace("You reply.", "You reply {{ count }}."))
    for value in (1, True, 1.0, 2, 1):
        assert prompt.render({"document": "A text.", "count": value}).system == f"You reply {value}."

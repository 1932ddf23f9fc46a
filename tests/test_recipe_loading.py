"""Reading recipes: what is accepted, and what is said about what is not."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from oreline.errors import RecipeError
from oreline.recipe import words
from oreline.recipe.loading import load_recipe, recipe_from
from oreline.recipe.settings import MarginCeiling, PercentCeiling, Recipe, Source

HEAD = "output: out\nsources: [docs/]\n"


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "recipe.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def recipe(folder: Path, text: str, *overrides: str) -> Recipe:
    return load_recipe(written(folder, text), overrides).recipe


def problems(folder: Path, text: str | bytes, *overrides: str) -> list[str]:
    """Returns the lines of the error, without the folder; asserts the exit code and that nothing was written."""
    path = written(folder, text)
    before = sorted(os.listdir(folder))
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    assert caught.value.exit_code == 2
    assert sorted(os.listdir(folder)) == before
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_three_keys_make_a_recipe(tmp_path: Path) -> None:
    made = recipe(tmp_path, HEAD + "llm: {provider: gemini, model: gemini-3.5-flash-lite}\n")
    assert made.sources[0].path == "docs/"
    assert made.llm is not None
    assert made.select.ceiling == PercentCeiling()


def test_a_bare_path_and_a_section_are_equal_sources(tmp_path: Path) -> None:
    made = recipe(tmp_path, "output: out\nsources: [docs, {path: docs, dataset: other}]\n")
    assert made.sources[0].path == made.sources[1].path


def test_a_misspelt_key_is_named_with_the_nearest_and_its_place(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + "select:\n  windw: [1, 5]\n") == [
        'recipe.yaml:4:3: select.windw: no such key; did you mean "window"?'
    ]


def test_a_misspelt_key_with_no_near_one_lists_the_known(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, HEAD + "judge: {qqqq: 1}\n")
    known = "enabled, scorers, top_k, llm, likelihood, cross_encoder, cascade"
    assert line == f"recipe.yaml:3:9: judge.qqqq: no such key; known: {known}"


def test_a_key_in_the_wrong_section_is_named_with_its_own(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, HEAD + "negatives: 4\n")
    assert line == 'recipe.yaml:3:1: negatives: no such key here; did you mean "select.negatives"?'


def test_all_problems_are_told_at_once_in_the_order_of_the_text(tmp_path: Path) -> None:
    text = "sources: [{pth: docs}]\nsed: 3\nselect: {negatives: many, window: [1]}\nllm: {provider: gemni, model: 3}\n"
    places = [line.split(": ")[1] for line in problems(tmp_path, text)]
    assert places == [
        "output",
        "sources.0.path",
        "sources.0.pth",
        "sed",
        "select.negatives",
        "select.window",
        "llm.provider",
        "llm.model",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed: 1.0", "seed: found the number 1.0; expected a whole number; write 1"),
        ("seed: '3'", "seed: found the text '3'; expected a whole number; take the quotes away"),
        ("seed: true", "seed: found the value true; expected a whole number"),
        ("seed:", "seed: found nothing (null); expected a whole number"),
        ("select: 3", "select: found the number 3; expected a section with the keys gates, relabel, ceiling, window, "),
        (
            "encoder:",
            "call_seconds, price, budget_usd, budget_tokens; leave the key out for the",
        ),
        ("encoder: {model: 12}", "encoder.model: found the number 12; expected text; put it in quotes: '12'"),
        ("export: {formats: jsonl}", "expected a list of at least 1 of sentence-transformers or jsonl; write [jsonl]"),
        ("export: {formats: []}", "export.formats: found a list of 0; expected a list of at least 1"),
        (
            "export: {formats: [jsnl]}",
            "export.formats.0: found the text 'jsnl'; expected sentence-transformers or jsonl; did you mean \"jsonl\"?",
        ),
        ("dedup: {threshold: 1.5}", "dedup.threshold: found the number 1.5; expected a number from 0 to 1"),
        ("dedup: {threshold: .nan}", "dedup.threshold: found the number nan"),
        ("select: {negatives: -1}", "select.negatives: found the number -1; expected a whole number of 0 or more"),
        (
            "select: {window: [1, 2, 3]}",
            "select.window: found a list of 3; expected a list of 2 whole numbers of 1 or more",
        ),
        ("mine: {within: medquad}", "expected dataset or all, or a list of texts; for a list of one write [medquad]"),
        (
            "llm: {provider: gemini, model: m, timeout: 0}",
            "llm.timeout: found the number 0; expected a number more than 0",
        ),
        ("encoder: []", "encoder: found a list of 0; expected a section with the keys model,"),
    ],
)
def test_a_wrong_type_is_told_in_words(tmp_path: Path, line: str, message: str) -> None:
    (told,) = problems(tmp_path, HEAD + line + "\n")
    assert told.startswith("recipe.yaml:3:")
    assert message in told


@pytest.mark.parametrize(
    ("ceiling", "message"),
    [
        (
            "0.95",
            "select.ceiling: found the number 0.95; expected {percent_of_positive: ...}, or {margin: ...}, or {score",
        ),
        ("nothing", "select.ceiling: found the text 'nothing'; expected {percent_of_positive: ...}"),
        ("{percent: 0.9}", 'or none; did you mean "percent_of_positive"?'),
        ("{margin: a}", "select.ceiling.margin: found the text 'a'; expected a number from 0 to 2"),
        ("{margin: 1, score: 0.2}", "or none; give one of them"),
        ("{margin: 0.1, extra: 1}", "select.ceiling.extra: no such key; known: margin"),
    ],
)
def test_a_wrong_ceiling_is_one_line_and_not_five(tmp_path: Path, ceiling: str, message: str) -> None:
    (told,) = problems(tmp_path, HEAD + f"select: {{ceiling: {ceiling}}}\n")
    assert message in told


def test_each_kind_of_ceiling_is_read(tmp_path: Path) -> None:
    assert recipe(tmp_path, HEAD + "select: {ceiling: {margin: 0.05}}\n").select.ceiling == MarginCeiling(margin=0.05)
    assert recipe(tmp_path, HEAD + "select: {ceiling: none}\n").select.ceiling == "none"
    assert recipe(tmp_path, HEAD + "select: {ceiling: {}}\n").select.ceiling == PercentCeiling()


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "Yes", "y", "N"])
def test_a_switch_of_yaml_1_1_is_told_what_yaml_1_2_knows(tmp_path: Path, word: str) -> None:
    (line,) = problems(tmp_path, HEAD + f"dedup: {{enabled: {word}}}\n")
    told = f"dedup.enabled: found the text '{word}'; expected true or false; YAML 1.2 knows only true and false"
    assert line == f"recipe.yaml:3:9: {told}"


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_true_is_true(tmp_path: Path, word: str) -> None:
    assert recipe(tmp_path, HEAD + f"dedup: {{enabled: {word}}}\n").dedup.enabled is True


def test_norway_stays_a_dataset_name(tmp_path: Path) -> None:
    assert recipe(tmp_path, "output: out\nsources: [{path: x, dataset: no, lang: no}]\n").sources[0].lang == "no"


def test_a_name_that_is_a_number_is_shown_as_written_and_to_be_quoted(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "output: out\nsources: [{path: x, dataset: 012}]\n")
    assert line.startswith("recipe.yaml:2:21: sources.0.dataset: found the number 12 (read from 012); expected text")
    assert line.endswith("put it in quotes: '012'")


def test_a_leading_zero_is_decimal_and_0o_is_octal(tmp_path: Path) -> None:
    assert recipe(tmp_path, HEAD + "seed: 012\n").seed == 12
    assert recipe(tmp_path, HEAD + "seed: 0o14\n").seed == 12


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", ".001", "+1.0e-3"])
def test_floats_may_have_an_exponent_without_a_point(tmp_path: Path, number: str) -> None:
    assert recipe(tmp_path, HEAD + f"dedup: {{threshold: {number}}}\n").dedup.threshold == pytest.approx(0.001)


def test_a_whole_number_is_a_number_too(tmp_path: Path) -> None:
    assert recipe(tmp_path, HEAD + "dedup: {threshold: 1}\n").dedup.threshold == 1.0


def test_a_date_and_a_time_stay_text(tmp_path: Path) -> None:
    made = recipe(tmp_path, "output: 2026-11-20\nsources: [{path: x, instruction: 1:30}]\n")
    assert (made.output, made.sources[0].instruction) == ("2026-11-20", "1:30")


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + "seed: 1\nselect: {pick: random}\nseed: 2\n") == [
        "recipe.yaml:5:1: seed: the key stands here twice, first in line 3; keep one"
    ]


def test_an_api_key_in_a_recipe_is_refused_and_never_shown(tmp_path: Path) -> None:
    lines = problems(tmp_path, HEAD + "llm: {provider: gemini, model: m, api_key: s3cret}\n", "llm.api_key=s3cret")
    assert "GEMINI_API_KEY" in lines[0]
    assert "s3cret" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "recipe.yaml: the recipe is empty"),
        (b"# only a remark\n", "recipe.yaml: the recipe is empty"),
        (b"- docs\n", "recipe.yaml:1:1: a recipe is a mapping such as `output: out/handbook`, found a list"),
        (b"docs\n", "recipe.yaml:1:1: a recipe is a mapping such as `output: out/handbook`, found the text 'docs'"),
        (b"output: out\n\tsources: [x]\n", "recipe.yaml:2:1: no valid YAML: a line is indented by a tab"),
        (
            b"output: [out\nsources: x\n",
            "recipe.yaml:2:8: no valid YAML: while parsing a flow sequence: expected ',' or",
        ),
        (b"output: out\n---\nseed: 2\n", "recipe.yaml:2:1: no valid YAML: a second document begins here"),
        (b"output: *nowhere\n", "recipe.yaml:1:9: no valid YAML: found undefined alias 'nowhere'"),
        (b"output: out\nsources: [\xff]\n", "recipe.yaml:2: not UTF-8 (byte 22); save the recipe as UTF-8"),
        (b"output: a\x00b\n", "recipe.yaml: no valid YAML: unacceptable character #x0000"),
        (b"output: out\nsources: &s [*s]\n", "recipe.yaml:2:10: sources.0: an alias that contains itself"),
        (
            b"output: !!python/name:os.system x\nsources: [x]\n",
            "the tag tag:yaml.org,2002:python/name:os.system has no",
        ),
        (b"? [a]\n: 1\noutput: out\nsources: [x]\n", "recipe.yaml:1:3: a key is a single word, found a list"),
    ],
)
def test_what_is_no_recipe_is_told_with_its_line(tmp_path: Path, text: bytes, message: str) -> None:
    assert message in problems(tmp_path, text)[0]


def test_a_missing_recipe_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere.yaml: there is no such file; `oreline init` writes a recipe"):
        load_recipe(str(tmp_path / "nowhere.yaml"))


def test_a_folder_in_place_of_a_recipe_names_the_recipe_in_it(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"this is a folder$"):
        load_recipe(str(tmp_path))
    written(tmp_path, HEAD)
    with pytest.raises(RecipeError, match=r"did you mean .*recipe\.yaml"):
        load_recipe(str(tmp_path))


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, b"\xef\xbb\xbf" + HEAD.encode())).recipe.output == "out"


def test_anchors_and_merges_are_followed(tmp_path: Path) -> None:
    made = recipe(
        tmp_path,
        "output: out\nsources:\n- &base {path: a, lang: en, dataset: a}\n- {<<: *base, path: b, dataset: b}\n",
    )
    assert (made.sources[1].path, made.sources[1].lang) == ("b", "en")


def test_written_keys_are_those_of_the_user(tmp_path: Path) -> None:
    loaded = load_recipe(written(tmp_path, HEAD + "select: {pick: hardest}\n"), ["judge.top_k=5"])
    assert {"output", "select.pick", "judge.top_k", "sources.0.path"} <= loaded.written
    assert "select.siblings" not in loaded.written
    assert loaded.place("select.pick").endswith("recipe.yaml:3:10")
    assert loaded.place("select.siblings").endswith("recipe.yaml:3:1")
    assert loaded.place("judge.top_k") == "--set judge.top_k=5"


def test_a_mapping_is_read_like_a_file(tmp_path: Path) -> None:
    loaded = recipe_from({"output": tmp_path / "out", "sources": ("docs",), "select": {"window": (1, 5)}})
    assert loaded.recipe.output == str(tmp_path / "out")
    assert loaded.recipe.select.window == [1, 5]
    with pytest.raises(RecipeError, match=r'^recipe: select.windw: no such key; did you mean "window"\?$'):
        recipe_from({"output": "out", "sources": ["docs"], "select": {"windw": 1}})
    with pytest.raises(RecipeError, match="a bytes has no place in a recipe"):
        recipe_from({"output": b"out"})


def test_reading_a_mapping_leaves_it_as_it_was() -> None:
    mapping: dict[str, object] = {"output": "out", "sources": ["docs"]}
    recipe_from(mapping, ["select.negatives=2"])
    assert mapping == {"output": "out", "sources": ["docs"]}


def test_texts_that_no_path_can_hold_are_told(tmp_path: Path) -> None:
    lines = problems(tmp_path, 'output: "a\\0b"\nsources: ["\\ud800"]\n')
    assert lines == [
        "recipe.yaml:1:1: output: the text holds a null character or half a surrogate pair; take it out",
        "recipe.yaml:2:11: sources.0.path: the text holds a null character or half a surrogate pair; take it out",
    ]


def test_a_bottomless_recipe_is_told(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "output: " + "[" * 5000)
    assert line == "recipe.yaml: no recipe: lists or mappings are nested hundreds of levels deep"


PIECES = (
    *("output", "sources", "select", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&a", "*a", "!!int", "!x"),
    *("%YAML 1.1\n", "---", "...", "'", '"', "\\", "|", ">", "?", "<<", "12", "1e3", "0x", "0o9", "on", "~", "#", "\t"),
    *("@", "`", "!!bool", "\\u0000", "\x85", "\u2028", "!!float x", "!!null z", "!!set", "!!omap", "!!binary"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=40), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_recipe_or_an_error_of_whole_lines(tmp_path: Path, text: str, head: bool) -> None:  # noqa: FBT001 - drawn
    path = tmp_path / "recipe.yaml"
    path.write_text((HEAD if head else "") + text, encoding="utf-8", newline="")
    try:
        told = [load_recipe(str(path)).document.name]
    except RecipeError as error:
        told = str(error).splitlines()
    assert all(line.startswith(str(path)) for line in told)


def keys_of(section: type[BaseModel], prefix: str) -> list[str]:
    """Returns all dotted keys of a section and those in it."""
    keys: list[str] = []
    for name, field in section.model_fields.items():
        keys.append(f"{prefix}{name}")
        for part in words.members(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                keys += keys_of(part, f"{prefix}{name}.")
    return keys


KEYS = [
    *keys_of(Recipe, ""),
    "sources.0",
    *keys_of(Source, "sources.0."),
    "select.unknown",
    "beam.stages.embed.workers",
]
SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 2000) | st.floats() | st.sampled_from(["", "none", "all", "x", "on"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["margin", "score", "percent_of_positive", "path", "model", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=4))
@settings(deadline=None)
def test_any_value_at_any_key_is_read_or_told_once(values: list[tuple[str, object]]) -> None:
    mapping: dict[str, object] = {"output": "out", "sources": [{"path": "docs"}]}
    overrides = [
        f"{key}={json.dumps(value).replace('NaN', '.nan').replace('Infinity', '.inf')}" for key, value in values
    ]
    try:
        recipe_from(mapping, overrides)
    except RecipeError as error:
        lines = str(error).splitlines()
        assert len(lines) == len(set(lines)) > 0
        assert all(line.startswith(("recipe: ", "--set ")) for line in lines)


def test_a_folded_text_is_read_as_one_line_and_nothing_else(tmp_path: Path) -> None:
    text = "output: out\nsources:\n  - path: docs/\n    instruction: >-\n      Find what answers\n      the question\n"
    assert recipe(tmp_path, text).sources[0].instruction == "Find what answers the question"

"""Recipes as data: what is refused, and with which words."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.built_in import BUILT_IN
from corpus.errors import RecipeError
from corpus.recipe import built_in_recipes, from_data, load
from corpus.sources.source import Source
from corpus.step import step_name

BASE: dict[str, Any] = {"name": "mine", "sources": ["warc"], "steps": ["extract_html", "segment_words", "gopher_quality"]}


def test_the_built_in_recipes() -> None:
    assert {"web", "extract", "text"} <= set(built_in_recipes())
    for name in built_in_recipes():
        made = load(name)
        assert made.name == name
        assert from_data(made.to_data()) == made
        assert from_data(yaml.safe_load(made.to_yaml())) == made


def test_names_in_recipes_are_the_names_of_the_classes() -> None:
    for name, path in BUILT_IN.items():
        kind = path.rpartition(":")[2]
        assert name == step_name(type(kind, (), {})).removesuffix("_source"), path


def test_every_reason_is_given_by_one_class_alone() -> None:
    seen: dict[str, str] = {}
    for path in BUILT_IN.values():
        module, _, name = path.partition(":")
        kind = getattr(__import__(module, fromlist=[name]), name)
        for reason in kind.reasons:
            other = seen.setdefault(reason.code, name)
            assert other == name or issubclass(kind, Source), f"{reason.code}: {other} and {name}"
            assert reason.meaning[0].islower()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"step": []}, "unknown key 'step': recipe (did you mean 'steps'?)"),
        ({"sources": []}, "no sources"),
        ({"sources": ["wrac"]}, "no step is called 'wrac': recipe: sources[0] wrac (did you mean 'warc'?)"),
        ({"sources": ["extract_html"]}, "this is no Source"),
        ({"steps": "extract_html"}, "expected a list: recipe: steps"),
        ({"steps": [{"extract_html": {}, "gopher_quality": {}}]}, "one `name: {field: value}`"),
        ({"steps": [{"extract_html": {"engin": "x"}}]}, "unknown key 'engin': recipe: steps[0] extract_html (did you mean 'engine'?)"),
        ({"steps": [{"extract_html": {"engine": "lynx"}}]}, "'resiliparse' or 'trafilatura', got 'lynx'"),
        ({"steps": [{"extract_html": {"max_tags": "many"}}]}, "should be a valid integer, got 'many'"),
        ({"steps": [{"extract_html": {"max_tags": 3.5}}]}, "extract_html.max_tags"),
        ({"steps": [{"extract_html": {"main_content": 1}}]}, "valid boolean"),
        ({"steps": ["extract_html", "gopher_quality"]}, "put segment_words before it"),
        ({"steps": ["segment_words", "extract_html", "gopher_quality"]}, "reads the column 'words', which nothing before it adds"),
        ({"steps": [*BASE["steps"], "gopher_quality"]}, "two steps measure"),
        ({"corpus": ["near_duplicates"]}, "add min_hash_signature to the steps"),
        ({"corpus": [{"near_duplicates": {"threshold": 2.0}}]}, "threshold must lie in (0, 1]"),
        ({"corpus": [{"near_duplicates": {"survivor": {"prefers": []}}}]}, "did you mean 'prefer'?"),
        (
            {"steps": ["text_digest"], "corpus": [{"exact_duplicates": {"survivor": {"prefer": ["highest"], "signal": "quality"}}}]},
            "reads the signal 'quality', which no step measures: recipe: corpus[0] exact_duplicates",
        ),
        (
            {"steps": ["text_digest"], "corpus": [{"exact_duplicates": {"survivor": {"prefer": ["highest"]}}}]},
            "highest and lowest are by a signal",
        ),
        ({"steps": ["text_digest"], "corpus": [{"exact_duplicates": {"survivor": {"prefer": ["oldest", "newest"]}}}]}, "its opposite"),
        ({"steps": ["text_digest"]}, "no step of the recipe measures anything"),
        (
            {"steps": [{"read_rights": {"respect": ["noai", "robots"]}}]},
            "respect names 'robots', which this step reads nowhere; known are noindex, noai, tdmrep, aipref: recipe: steps[0] read_rights",
        ),
        (
            {"corpus": [{"site_rights": {"respect": ["ai.txt"]}}]},
            "names 'ai.txt', which this step reads nowhere; known are robots, tdmrep,",
        ),
        ({"steps": [{"read_rights": {"respect": "noai"}}]}, "valid array, got 'noai': recipe: steps[0] read_rights.respect"),
        ({"steps": [{"read_rights": {"obey_noai": False}}]}, "unknown key 'obey_noai'"),
        ({"output": {"shard_bytes": 0}}, "shard_bytes must be at least 1"),
        ({"output": {"shards": 1}}, "unknown key 'shards'"),
        ({"name": ""}, "the recipe has no name"),
        ({"name": 7}, "expected text: recipe: name"),
    ],
)
def test_what_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        from_data(BASE | change)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_code_of_others_is_not_imported_unless_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_package.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("evil_package:Step", "os:system", "evil_package.deep:Step"):
        with pytest.raises(RecipeError, match="is not allowed to run"):
            from_data(BASE | {"steps": [name]})
    with pytest.raises(RecipeError, match="is not allowed to run"):
        load("evil_package:RECIPE")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(RecipeError, match="cannot import"):
        from_data(BASE | {"steps": ["evil_package:Step"]}, allow=["evil_package"])
    assert (tmp_path / "ran").exists()


def test_yaml_is_loaded_safely(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"name: x\nsources: !!python/object/apply:os.system ['touch {tmp_path}/ran']\n")
    with pytest.raises(RecipeError, match=r"no safe YAML: .*bad\.yaml:2"):
        load(str(path))
    assert not (tmp_path / "ran").exists()
    path.write_text("name: [unclosed\n")
    with pytest.raises(RecipeError, match="no safe YAML"):
        load(str(path))
    path.write_text("- a\n- b\n")
    with pytest.raises(RecipeError, match="a recipe is a mapping"):
        load(str(path))
    with pytest.raises(RecipeError, match="no such file"):
        load(str(tmp_path / "none.yaml"))


LEVELS = "".join(f"- &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 20))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"- &a0 [x]\n{LEVELS}", "far too large with its aliases written out"),
        ("name: x\nsources: [warc: {name: &a [*a, *a]}]\n", "far too large with its aliases written out"),
        ("name: x\nsources: " + "[" * 20_000, "nested too deep"),
        ("name: x\nsources: [warc: {name: [" + "1, " * 50_000 + "]}]", "should be a valid string, got"),
    ],
    ids=["aliases of aliases", "holds itself", "deep", "wide"],
)
def test_a_recipe_that_is_a_bomb_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=told) as error:
        load(str(path))
    assert len(str(error.value)) < 500 + len(str(path))


def test_a_step_of_the_users_own() -> None:
    made = from_data(BASE | {"steps": [{"tests.steps:DropShouting": {"max_upper": 0.25}}]}, allow=["tests"])
    assert [(name, rule.threshold) for name, rule in made.rules()] == [("drop_shouting", 0.25)]
    assert made.to_data()["steps"] == [{"tests.steps:DropShouting": {"max_upper": 0.25}}]
    assert "mine:too_loud" in made.reasons()


def test_overrides() -> None:
    made = load("web", overrides=["gopher_quality.min_words=30", "output.keep_rejected=true", "near_duplicates.survivor.prefer=[oldest]"])
    data = made.to_data()
    assert next(step for step in data["steps"] if "gopher_quality" in step)["gopher_quality"]["min_words"] == 30
    assert data["output"]["keep_rejected"] is True
    assert next(step for step in data["corpus"] if "near_duplicates" in step)["near_duplicates"]["survivor"]["prefer"] == ["oldest"]
    for override, told in (
        ("gopher_quality.min_words", "expected KEY=VALUE"),
        ("gopher.min_words=3", "the recipe has no step 'gopher'"),
        ("segment_words.x=3", "stands more than once"),
        ("gopher_quality.min_words=[", "the value is no YAML"),
    ):
        with pytest.raises(RecipeError, match=told.replace("(", r"\(")):
            load("web", overrides=[override])

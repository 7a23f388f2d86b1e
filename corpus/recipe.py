"""A run as data: sources, document steps, corpus steps, output settings; from YAML or from Python.

A recipe is checked whole before Spark starts: an unknown key is answered with the nearest known one, a wrong type with the right
one, a step that reads what no earlier step adds with the step that is missing. YAML is loaded safely, and the code of a
step that is not ours is imported only from packages that the person running has allowed.

    recipe = load("web", overrides=["gopher_quality.min_words=30"])
    recipe = load("my.yaml", allow=["my_package"])
"""

import copy
import dataclasses
import difflib
import importlib
import json
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, final

import pyarrow as pa
import pydantic
import yaml

from corpus import document
from corpus.built_in import BUILT_IN, MAKERS
from corpus.errors import RecipeError
from corpus.sources.source import Source
from corpus.step import CODE, CorpusStep, DocumentStep, Rule, signal_types, step_name

_BUILT_IN_PACKAGE = "corpus"
RECIPES = "corpus.resources.recipes"
_MAX_VALUES = 100_000

_SECTIONS: dict[str, type] = {"sources": Source, "steps": DocumentStep, "corpus": CorpusStep}


@final
@dataclass(frozen=True, kw_only=True)
class Output:
    """How the corpus is written."""

    shard_bytes: int = 128 * 2**20  # of text, before compression: a shard of 128 MiB loads in a second and spreads over many readers
    keep_rejected: bool = False  # measure rejected documents to the end as well, and write them to rejected/
    index: bool = False  # write index/, so that later corpora can be deduplicated against this one: about 500 bytes a document
    together: tuple[str, ...] = ()  # sources whose collections stay whole and in their own order (files of a repository), each in one shard

    def __post_init__(self) -> None:
        if self.shard_bytes < 1:
            raise ValueError("shard_bytes must be at least 1")


@final
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is read, what is done to each document, what to all of them, and how the result is written."""

    name: str
    description: str = ""
    sources: tuple[Source, ...]
    steps: tuple[DocumentStep, ...] = ()
    corpus: tuple[CorpusStep, ...] = ()
    output: Output = Output()

    def __post_init__(self) -> None:
        _check_order(self)

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """(step name, rule) of all that judge, in the order of the road."""
        for step in self.steps:
            for rule in step.rules():
                yield step_name(type(step)), rule

    def reasons(self) -> dict[str, str]:
        """Code -> meaning of every reason that this recipe can give."""
        parts: list[Source | DocumentStep | CorpusStep] = [*self.sources, *self.steps, *self.corpus]
        return {reason.code: reason.meaning for part in parts for reason in part.reasons}

    def assets(self) -> list[str]:
        """Paths of the user's files that the result depends on."""
        parts: list[Source | DocumentStep | CorpusStep] = [*self.sources, *self.steps, *self.corpus]
        return [path for part in parts for path in part.assets()]

    def to_data(self) -> dict[str, Any]:
        """The recipe as plain data with every default visible: what ``--show`` prints and the manifest holds."""
        return {
            "name": self.name,
            "description": self.description,
            "sources": [_part_to_data(part) for part in self.sources],
            "steps": [_part_to_data(part) for part in self.steps],
            "corpus": [_part_to_data(part) for part in self.corpus],
            "output": _plain(dataclasses.asdict(self.output)),
        }

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.to_data(), sort_keys=False, allow_unicode=True, width=110)


def built_in_recipes() -> list[str]:
    """Names of the recipes that come with gristmill."""
    folder = resources.files(RECIPES)
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name: str, *, overrides: Sequence[str] = (), allow: Collection[str] = ()) -> Recipe:
    """A built-in's name, the path of a YAML file, or ``package.module:ATTRIBUTE`` (a Recipe made in Python) -> the recipe.

    ``overrides`` are ``STEP.FIELD=VALUE``, ``output.FIELD=VALUE`` or, where a step stands twice, ``steps.N.FIELD=VALUE``
    (N from 0); values are YAML. Raises RecipeError.
    """
    if name in built_in_recipes():
        text = resources.files(RECIPES).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        data = yaml.safe_load(text)
    elif name.endswith((".yaml", ".yml")):
        data = _read_yaml(Path(name))
    elif ":" in name:
        made = _import(name, allow, where="the recipe's name")
        if not isinstance(made, Recipe):
            raise RecipeError(f"this is no Recipe but {type(made).__name__}", where=name)
        data = made.to_data()
    else:
        near = difflib.get_close_matches(name, built_in_recipes(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"built in are {', '.join(built_in_recipes())}; a file ends in .yaml"
        raise RecipeError("no such recipe", where=name, hint=hint)
    if not isinstance(data, dict):
        raise RecipeError("a recipe is a mapping with name, sources, steps, corpus, output", where=name)
    return from_data(data, overrides=overrides, allow=allow, where=name)


def from_data(data: Mapping[str, Any], *, overrides: Sequence[str] = (), allow: Collection[str] = (), where: str = "recipe") -> Recipe:
    """Plain data, as YAML gives it -> a checked Recipe. Raises RecipeError with the place in the recipe."""
    changed = copy.deepcopy(dict(data))
    for override in overrides:
        _override(changed, override)
    data = changed
    known = [field.name for field in dataclasses.fields(Recipe)]
    for key in data:
        if key not in known:
            raise RecipeError(f"unknown key {key!r}", where=where, hint=_nearest(str(key), known))
    parts: dict[str, tuple[Any, ...]] = {}
    for section, kind in _SECTIONS.items():
        entries = data.get(section) or []
        if not isinstance(entries, list):
            raise RecipeError("expected a list", where=f"{where}: {section}", hint="each entry is a step's name, or `name: {field: value}`")
        parts[section] = tuple(_part(entry, kind, allow, f"{where}: {section}[{at}]") for at, entry in enumerate(entries))
    if not parts["sources"]:
        raise RecipeError("no sources", where=where, hint="name at least one, such as `sources: [warc]`")
    output = _build(Output, data.get("output") or {}, f"{where}: output")
    for key in ("name", "description"):
        if not isinstance(data.get(key, ""), str):
            raise RecipeError("expected text", where=f"{where}: {key}")
    if not data.get("name"):
        raise RecipeError("the recipe has no name", where=where, hint="add `name: my_recipe`")
    try:
        return Recipe(name=data["name"], description=data.get("description", ""), output=output, **parts)
    except RecipeError as error:
        raise RecipeError(error.what, where=f"{where}: {error.where}", hint=error.hint) from None


def _part(entry: Any, kind: type, allow: Collection[str], where: str) -> Any:
    """One entry of a section: ``name``, or ``{name: {field: value}}``."""
    name: Any
    fields: Any
    if isinstance(entry, str):
        name, fields = entry, None
    elif isinstance(entry, dict) and len(entry) == 1:
        name, fields = next(iter(entry.items()))
    else:
        raise RecipeError("expected a step's name, or one `name: {field: value}`", where=where)
    where = f"{where} {name}"
    if ":" in str(name):
        made = _import(name, allow, where)
    elif name in BUILT_IN:
        made = _import(BUILT_IN[name], [_BUILT_IN_PACKAGE], where)
    else:
        fitting = [key for key in BUILT_IN if issubclass(_import(BUILT_IN[key], [_BUILT_IN_PACKAGE], where), kind)]
        raise RecipeError(f"no step is called {name!r}", where=where, hint=_nearest(str(name), fitting))
    if not (isinstance(made, type) and issubclass(made, kind)):
        raise RecipeError(f"this is no {kind.__name__}", where=where, hint="sources, steps and corpus hold different kinds of step")
    if not dataclasses.is_dataclass(made):
        raise RecipeError("a step is a frozen dataclass", where=where, hint="add @dataclass(frozen=True, kw_only=True)")
    built = _build(made, {} if fields is None else fields, where)
    for each in dataclasses.fields(made):
        if CODE in each.metadata and getattr(built, each.name):
            _import(getattr(built, each.name), allow, f"{where}.{each.name}")
    return built


def _import(path: str, allow: Collection[str], where: str) -> Any:
    """``package.module:Name``, imported if its top-level package is allowed. A recipe from elsewhere cannot run code."""
    module, _, name = path.partition(":")
    package = module.partition(".")[0]
    if package != _BUILT_IN_PACKAGE and package not in allow:
        raise RecipeError(f"the package {package!r} is not allowed to run", where=where, hint=f"if you trust it, add --allow {package}")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"cannot import {path}", where=where, hint=str(error)) from error


def _build(kind: type, fields: Any, where: str) -> Any:
    """A dataclass from plain data, types checked strictly. The data passes through JSON, so that a list may stand for a tuple."""
    if not isinstance(fields, dict):
        raise RecipeError("expected `field: value` pairs", where=where)
    _refuse_unknown_keys(kind, fields, where)
    try:
        return pydantic.TypeAdapter(kind).validate_json(json.dumps(fields), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        given = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r:.200}"
        raise RecipeError(f"{message[0].lower()}{message[1:]}{given}", where=f"{where}.{key}" if key else where) from error
    except (TypeError, ValueError) as error:
        raise RecipeError(str(error), where=where) from error


def _refuse_unknown_keys(kind: type, fields: Mapping[Any, Any], where: str) -> None:
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    for key, value in fields.items():
        if key not in known:
            raise RecipeError(f"unknown key {key!r}", where=where, hint=_nearest(str(key), known))
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, dict):
            _refuse_unknown_keys(typing.cast(type, hints[key]), value, f"{where}.{key}")
        inner = (*typing.get_args(hints[key]), None)[0]  # of tuple[EvaluationSet, ...]
        if dataclasses.is_dataclass(inner) and isinstance(value, list):
            for at, each in enumerate(value):
                if isinstance(each, dict):
                    _refuse_unknown_keys(typing.cast(type, inner), each, f"{where}.{key}.{at}")


def _nearest(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"


def _override(data: dict[str, Any], override: str) -> None:
    """Set one field in the plain data of a recipe, from ``path=value``."""
    path, equals, value = override.partition("=")
    if not equals:
        raise RecipeError("expected KEY=VALUE", where=f"--set {override}", hint="for example gopher_quality.min_words=30")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError("the value is no YAML", where=f"--set {override}") from error
    head, *rest = path.split(".")
    if head == "output" and len(rest) == 1:
        data.setdefault("output", {})[rest[0]] = parsed
        return
    if head in _SECTIONS and len(rest) >= 2 and rest[0].isdigit() and int(rest[0]) < len(data.get(head) or []):
        section, at, keys = head, int(rest[0]), rest[1:]
    else:
        section, at, keys = _find_step(data, head, rest, override)
    entry = data[section][at]
    name, fields = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    fields = dict(fields or {})
    inner = fields
    for key in keys[:-1]:
        inner[key] = dict(inner.get(key) or {})
        inner = inner[key]
    inner[keys[-1]] = parsed
    data[section][at] = {name: fields}


def _find_step(data: Mapping[str, Any], name: str, keys: list[str], override: str) -> tuple[str, int, list[str]]:
    places, names = [], []
    for section in _SECTIONS:
        for at, entry in enumerate(data.get(section) or []):
            entry_name = str(entry if isinstance(entry, str) else next(iter(entry)))
            names.append(entry_name)
            if name in (entry_name, entry_name.rpartition(":")[2]):
                places.append((section, at))
    where = f"--set {override}"
    if not keys:
        raise RecipeError("expected STEP.FIELD=VALUE or output.FIELD=VALUE", where=where)
    if not places:
        raise RecipeError(f"the recipe has no step {name!r}", where=where, hint=_nearest(name, [*names, "output"]))
    if len(places) > 1:
        choices = " or ".join(f"{section}.{at}.{keys[0]}" for section, at in places)
        raise RecipeError(f"the step {name!r} stands more than once", where=where, hint=f"say {choices}")
    return *places[0], keys


def _read_yaml(path: Path) -> Any:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if _written_out(data, {}) > _MAX_VALUES:
            raise RecipeError("the recipe is far too large with its aliases written out", where=str(path))
        return data
    except FileNotFoundError:
        raise RecipeError("no such file", where=str(path)) from None
    except RecursionError:
        raise RecipeError("the recipe is nested too deep", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError("cannot read the recipe", where=str(path), hint=str(error)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise RecipeError("this is no safe YAML", where=where, hint=str(getattr(error, "problem", error))) from error


def _written_out(value: Any, known: dict[int, int]) -> int:
    """How many values there are without aliases: a list of ten lists of ten is written in a line, and ten such lines are a bomb."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = _MAX_VALUES  # of one that holds itself, which is met again while it is counted
        known[id(value)] = 1 + sum(_written_out(each, known) for each in (value.values() if isinstance(value, dict) else value))
    return known[id(value)]


def _part_to_data(part: Any) -> dict[str, Any]:
    kind = type(part)
    path = f"{kind.__module__}:{kind.__qualname__}"
    name = next((name for name, built_in in BUILT_IN.items() if built_in == path), path)
    data = _plain(dataclasses.asdict(part))
    if isinstance(part, DocumentStep) and not part.sources:
        data.pop("sources", None)  # twenty times "all" would say nothing
    return {name: data}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list, types.GeneratorType)):
        return [_plain(inner) for inner in value]
    return value


def _check_order(recipe: Recipe) -> None:
    """Each step finds the columns that it reads, and no two steps measure under one name."""
    available = set(document.WORKING)
    available |= {column for source in recipe.sources for column in source.adds}  # nulls in the batches of the other sources
    parts: list[Source | DocumentStep] = [*recipe.sources, *recipe.steps]
    for at, step in enumerate(recipe.steps):
        where = f"steps[{at}] {step_name(type(step))}"
        for column in step.reads:
            if column not in available:
                maker = MAKERS.get(column)
                hint = f"put {maker} before it" if maker else f"known here are {', '.join(sorted(available - set(document.WORKING)))}"
                raise RecipeError(f"reads the column {column!r}, which nothing before it adds", where=where, hint=hint)
        if step.rewrites_text:
            available -= set(document.STALE_WITH_TEXT)
        available |= set(step.adds) | {document.SIGNAL + name for name in step.signals}
    _check_limits(recipe)
    names = [name for step in recipe.steps for name in step.signals]
    cutter = ""
    for at, set_step in enumerate(recipe.corpus):
        if cutter and set_step.reads:
            where = f"corpus[{at}] {step_name(type(set_step))}"
            what = f"reads {set_step.reads[0]!r}, which is of the text before {cutter} cut it"
            raise RecipeError(what, where=where, hint=f"put it before {cutter}, or run it in a recipe of its own on the corpus made")
        cutter = step_name(type(set_step)) if document.CUTS[0] in set_step.fills else cutter
        for column in set_step.reads:
            if not any(column in part.adds for part in parts):
                maker = MAKERS.get(column)
                hint = f"add {maker} to the {'sources' if maker.startswith('the source') else 'steps'}" if maker else ""
                raise RecipeError(
                    f"reads {column!r}, which no source or document step adds", where=f"corpus[{at}] {step_name(type(set_step))}", hint=hint
                )
        kinds, where = signal_types(recipe.steps), f"corpus[{at}] {step_name(type(set_step))}"
        for name in set_step.signals():
            if name not in kinds:
                raise RecipeError(f"reads the signal {name!r}, which no step measures", where=where, hint=_nearest(name, sorted(kinds)))
            if pa.types.is_string(kinds[name]) or pa.types.is_nested(kinds[name]):
                raise RecipeError(f"reads the signal {name!r} as a number, and it is {kinds[name]}", where=where)
    if not names:  # Parquet has no struct without fields
        raise RecipeError("no step of the recipe measures anything", where="steps", hint="add segment_words, which counts words")


def _check_limits(recipe: Recipe) -> None:
    """Steps that are limited to sources name those of the recipe; two that measure under one name share none."""
    known = [source.name for source in recipe.sources if hasattr(source, "name")]
    for name in recipe.output.together:
        if name not in known:
            raise RecipeError(f"no source of the recipe is called {name!r}", where="output.together", hint=_nearest(name, known))
    measured: dict[str, list[tuple[str, ...]]] = {}
    for at, step in enumerate(recipe.steps):
        where = f"steps[{at}] {step_name(type(step))}"
        for name in step.sources:
            if name not in known:
                raise RecipeError(f"no source of the recipe is called {name!r}", where=f"{where}.sources", hint=_nearest(name, known))
        if step.sources and step.adds:
            raise RecipeError(f"it adds {step.adds[0]!r} for later steps, and cannot be limited to sources", where=f"{where}.sources")
        for name in step.signals:
            others = measured.setdefault(name, [])
            if not _is_remeasured(name) and any(not step.sources or not other or set(step.sources) & set(other) for other in others):
                raise RecipeError(f"two steps measure {name!r}", where="steps", hint="leave one of them out, or give each its own sources")
            others.append(step.sources)


def _is_remeasured(name: str) -> bool:
    """Words are counted again after the text was rewritten (redacted): the last count stands."""
    return name in ("words", "word_unit")

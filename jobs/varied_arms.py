"""The arms of ``gristmill ablate --vary``: corpora that refilter makes from one, alike but for one setting.

varied("corpus/", "gopher.min_words=10,50,100", folder, master=None, allow=())      # {"min_words=10": ".../arms/min_words=10", …}
varied("corpus/", "dedup=on,off", folder, master=None, allow=())
"""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

from corpus import manifest
from corpus.dedup.exact import SameRecord
from corpus.errors import RecipeError
from corpus.recipe import Recipe, from_data
from corpus.refilter import Change, refilter
from corpus.session import BRIEF_BYTES, session
from corpus.step import step_name
from corpus.storage import locate
from jobs.console import Progress

DEDUP = "dedup"


def varied(corpus: str, vary: str, folder: Path, *, master: str | None, allow: Collection[str]) -> dict[str, str]:
    """Name -> corpus of each arm. Raises RecipeError or InputError for what refilter cannot tell from the corpus alone."""
    key, equals, values = vary.partition("=")
    chosen = [value for value in values.split(",") if value]
    if not equals or len(set(chosen)) < 2:
        raise RecipeError("--vary names a setting and two values or more", where=vary, hint="dedup=on,off or gopher.min_words=10,50")
    place = locate(corpus)
    recipe = from_data(manifest.read(place)["fingerprint"]["recipe"], overrides=(), allow=allow, where=place.uri)
    make = _deduplicated if key == DEDUP else partial(_set_to, setting=_setting(recipe, key))
    changes = {f"{key.rpartition('.')[2]}={value}": make(corpus, recipe, value, allow) for value in chosen}
    arms = {name: locate(corpus).uri if change is None else str(folder / name) for name, change in changes.items()}
    made = {name: change for name, change in changes.items() if change}
    spark = session("gristmill ablate", master, brief=all(change.size_bytes < BRIEF_BYTES for change in made.values()))
    with Progress(spark) as progress:
        for name, change in made.items():
            refilter(change, arms[name], spark=spark, observer=progress)
    spark.stop()  # its JVM would hold memory and threads that training can use
    return arms


def _set_to(corpus: str, recipe: Recipe, value: str, allow: Collection[str], *, setting: str) -> Change | None:
    """None where the corpus was made with this value: that arm is the corpus itself."""
    override = [f"{setting}={value}"]
    if from_data(recipe.to_data(), overrides=override, allow=allow, where=corpus) == recipe:
        return None
    return Change.of(corpus, override, allow=allow)


def _deduplicated(corpus: str, recipe: Recipe, value: str, allow: Collection[str]) -> Change | None:
    """None where it stays on: that is the corpus itself."""
    if value not in ("on", "off"):
        raise RecipeError("dedup is on or off", where=f"--vary dedup={value}")
    kept = tuple(step for step in recipe.corpus if not _deduplicates(step))
    if len(kept) == len(recipe.corpus):
        raise RecipeError("the corpus was never deduplicated", where=corpus, hint="on and off would be one")
    if value == "on":
        return None
    change = Change.of(corpus, (), allow=allow)
    return replace(change, recipe=replace(change.recipe, corpus=kept))


def _deduplicates(step: object) -> bool:
    return type(step).__module__.startswith("corpus.dedup.") and not isinstance(step, SameRecord)


def _setting(recipe: Recipe, key: str) -> str:
    """``gopher.min_words`` -> ``gopher_quality.min_words``, where the beginning of a name and the field leave no choice."""
    step, _, field = key.partition(".")
    parts = [*recipe.steps, *recipe.corpus]
    found = {step_name(type(part)) for part in parts if step_name(type(part)).startswith(step) and hasattr(part, field)}
    return f"{found.pop()}.{field}" if len(found) == 1 else key

"""The report as one HTML file: no script, no request, safe with any content, readable offline, on a phone, and in print.

html = render(report, run)
"""

import difflib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape

from corpus import manifest
from corpus.errors import InputError
from corpus.report import plots
from corpus.storage import Place, json_bytes

# Direction marks could turn around the text that follows; other invisible ones could hide it.
_BIDI = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_COMPARED_WORDS = 160
_RECIPE_ORDER = ("name", "description", "sources", "steps", "corpus", "output")


def remake(corpus: Place) -> Place:
    """``report.html`` of a corpus, made again from its ``report.json``; returns where it lies."""
    manifest.read(corpus)
    values = {}
    for name in ("report.json", "run.json"):
        try:
            values[name] = json.loads((corpus / name).read_bytes())
        except (OSError, ValueError) as error:
            raise InputError("the corpus has no readable file of this name", where=(corpus / name).uri, hint=str(error)) from error
    place = corpus / "report.html"
    place.write_bytes(render(values["report.json"], values["run.json"]).encode())
    return place


def render(report: Mapping[str, Any], run: Mapping[str, Any] | None) -> str:
    """``report``: the content of report.json; ``run``: of run.json, or None to leave the run's facts out."""
    return template("corpus.resources.report", "page.html.j2").render(report=report, run=run, plots=plots, style=style())


def link_training(corpus: Place, page: str) -> None:
    """Let ``report.html`` link to the page of a model that was trained on the corpus; ``page`` is relative to the corpus."""
    run = json.loads((corpus / "run.json").read_bytes())
    (corpus / "run.json").write_bytes(json_bytes(run | {"training": page}))
    remake(corpus)


def style() -> Markup:
    """The style sheet that all pages of ours share."""
    return Markup(resources.files("corpus.resources.report").joinpath("style.css").read_text(encoding="utf-8").strip())


@lru_cache
def template(package: str, name: str) -> jinja2.Template:
    """A page's template with our filters; escapes everything that is not markup."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_visible
    )
    environment.filters.update(number=_number, percent=_percent, size=_size, compared=compared, seconds=_seconds, yaml=_yaml)
    return environment.from_string(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def compared(example: Mapping[str, Any]) -> tuple[Markup, Markup]:
    """The two texts of a pair of duplicates, the words in which they differ marked."""
    kept, other = (str(_visible(example[side]["excerpt"])).split()[:_COMPARED_WORDS] for side in ("kept", "duplicate"))
    left: list[str] = []
    right: list[str] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, kept, other, autojunk=False).get_opcodes():
        for words, into in ((kept[a:b], left), (other[c:d], right)):
            if words:
                text = escape(" ".join(words))
                into.append(text if tag == "equal" else f"<mark>{text}</mark>")
    return Markup(" ".join(left)), Markup(" ".join(right))


def _visible(value: Any) -> Any:
    return "" if value is None else _BIDI.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


def _number(value: float) -> str:
    return f"{value:,.4g}" if isinstance(value, float) and value != int(value) else f"{int(value):,}"


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _size(value: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1000
    raise AssertionError


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 90 else f"{value / 60:.1f} min"


def _yaml(value: Mapping[str, Any]) -> str:
    value = {name: value[name] for name in _RECIPE_ORDER if name in value}  # report.json has them by the alphabet
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)

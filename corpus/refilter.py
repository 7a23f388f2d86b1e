"""A new corpus from the stored signals of a finished one: thresholds move, and no archive is read again.

Every document's rules are judged anew where a threshold moved; then deduplication, split and shuffle run as ever, on the stored
signatures and texts. ``documents/`` and ``ledger/`` are, byte by byte, those of a fresh run with the new settings, or refilter refuses:

* what decides texts or signals (extraction, PII, the lines that C4 cuts) cannot be changed, only thresholds of filters and the
  settings of corpus steps and output; nor anything where a corpus step has cut texts, which are gone;
* a loosened rule needs what it rejected, and so does a corpus step that chooses anew: a corpus made with ``output.keep_rejected``;
* without it a tightened rule is judged only where nobody was rejected after it: of such a document the signals are not known.

``report.json`` may differ from a fresh run's in what is told of rejected documents whose text was not stored (their charset, their source,
title and language in excerpts) and, where ``keep_rejected`` was turned off, of what was measured after they were rejected.

    change = Change.of("corpus/", ["gopher_quality.min_words=30"])
    result = refilter(change, "looser/", spark=session("refilter"))
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, cast, final

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from corpus import document, manifest
from corpus.dedup.signature import TextDigest
from corpus.engine import Clock, Observer, Result, Silent, Target, make
from corpus.errors import AssetError, InputError, OutputError, RecipeError
from corpus.fused import CRASHED, METRICS, SITE_RULES, SplitOutcome
from corpus.publish import DOCUMENTS, LEDGER, REJECTED
from corpus.reading import Reading, finished_splits, merged_metrics
from corpus.recipe import Recipe, from_data
from corpus.rejudge import Stored, rejudge_shard
from corpus.sources.listing import Examined
from corpus.sources.source import InputFile
from corpus.step import DocumentStep, Filter, Rule, signal_types, step_name
from corpus.storage import Place, locate
from corpus.tasks import in_tasks, raising_user_errors


@final
@dataclass(frozen=True)
class Moved:
    """A threshold that moved: of the rule of which step (its place among the document steps) and field, from where to where."""

    at: int
    field: str
    old: Rule
    new: Rule

    @property
    def is_looser(self) -> bool:
        return (self.new.threshold < self.old.threshold) is (self.old.comparison in ("<", "<="))


@final
@dataclass(frozen=True)
class Change:
    """A finished corpus, the recipe that it would have had, and the thresholds that this moves."""

    corpus: Place
    parent: dict[str, Any]
    digest: str
    recipe: Recipe
    moved: tuple[Moved, ...]

    @classmethod
    def of(cls, corpus: str, overrides: Sequence[str], *, allow: Collection[str] = ()) -> Self:
        """``overrides`` are ``STEP.FIELD=VALUE``, as for ``curate``. Raises RecipeError and InputError for what cannot be told from
        the corpus alone.
        """
        place = locate(corpus)
        parent = manifest.read(place)
        digest = hashlib.sha256((place / manifest.NAME).read_bytes()).hexdigest()
        old, new = (from_data(parent["fingerprint"]["recipe"], overrides=each, allow=allow, where=place.uri) for each in ((), overrides))
        made = cls(place, parent, digest, new, tuple(_moved(old, new)))
        _refuse_ambiguous(new, made.moved)
        if not made.has_rejected:
            _refuse_unknown(made)
        _refuse_other_signals(made)
        return made

    @property
    def has_rejected(self) -> bool:
        return REJECTED in self.parent["shards"]

    @property
    def size_bytes(self) -> int:
        return sum(shard["bytes"] for shards in self.parent["shards"].values() for shard in shards)

    def examined(self) -> list[Examined]:
        """The files that the corpus was made from, as its manifest names them."""
        return [
            Examined(
                InputFile(entry["input"], entry["file"], "", entry["size_bytes"], entry["sha256"]),
                entry.get("source", -1),
                entry.get("unread", ""),
            )
            for entry in self.parent["fingerprint"]["inputs"]
        ]


def refilter(
    change: Change,
    output: str,
    *,
    spark: SparkSession,
    work: str | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Make the new corpus in the folder ``output``; continue if this very run was begun there. ``work`` as for ``engine.curate``."""
    clock = Clock(observer or Silent())
    if locate(output).uri.rstrip("/") == change.corpus.uri.rstrip("/"):
        raise OutputError("a corpus is not made in its own place", where=output, hint="choose another --output")
    with raising_user_errors(output):
        target = Target.of(output, work, overwrite)
        examined = change.examined()
        parents = [{"corpus": change.digest}, *change.parent["parents"]]
        now = manifest.fingerprint(change.recipe, examined, parents)
        for path in (path for step in change.recipe.steps for path in step.assets()):
            if now["assets"][path] != change.parent["fingerprint"]["assets"].get(path):
                raise AssetError("the file has changed since the corpus was made", where=path, hint="run `gristmill curate` with it")

        def read(folder: Place) -> Reading:
            with clock.stage("read", "the stored signals, judged anew"):
                return _read(spark, change, examined, folder)

        return make(change.recipe, now, read, target, spark=spark, clock=clock)


def _read(spark: SparkSession, change: Change, examined: Sequence[Examined], folder: Place) -> Reading:
    """Work files as the fused pass would have left them, by one task a shard."""
    recipe, shards = change.recipe, change.parent["shards"]
    rejected = tuple(shard["file"] for shard in shards.get(REJECTED, ()))
    stored = Stored(change.corpus, recipe, tuple(sorted({moved.at for moved in change.moved})), rejected)
    sizes = {f"{name}-{shard['file'].partition('.')[0]}": (name, shard) for name in (DOCUMENTS, LEDGER) for shard in shards[name]}
    done = {key: outcome for key, outcome in finished_splits(folder).items() if key in sizes}
    pending = sorted(sizes.keys() - done.keys())

    def one(key: str) -> str:
        name, shard = sizes[key]
        return json.dumps([key, rejudge_shard(stored, name, shard["file"], folder / key).to_json()])

    for row in in_tasks(spark, pending, [max(1, sizes[key][1]["bytes"]) for key in pending], one):
        key, outcome = json.loads(row)
        done[key] = SplitOutcome.from_json(outcome)
    metrics = merged_metrics(spark, recipe, [(folder / key / METRICS).uri for key in sorted(done)], folder / "merged")
    reading = Reading(recipe, folder, examined, [*(done[key] for key in sorted(done)), _inherited(change.parent)], metrics)
    if reading.documents != change.parent["read"]:
        what = f"the corpus is not whole: its shards hold {reading.documents:,} of the {change.parent['read']:,} documents read"
        raise InputError(what, where=change.corpus.uri, hint="run `gristmill curate` again with --overwrite")
    return reading


def _inherited(parent: Mapping[str, Any]) -> SplitOutcome:
    """Records that are no documents, and damage: as the manifest of the corpus tells them."""
    damages = parent["damages"]
    return SplitOutcome(0, parent["records"], 0, tuple(damages["listed"]), damages["count"], damages["lost_bytes"], None, None, {}, 0)


def _moved(old: Recipe, new: Recipe) -> Iterator[Moved]:
    """The thresholds that differ. Raises RecipeError where something else of the document's road does."""
    before, after = old.to_data(), new.to_data()
    for was, now in zip(before["sources"], after["sources"], strict=True):
        for name, field in _changed(was, now):
            raise _not_a_threshold(name, field)
    for at, (was, now) in enumerate(zip(before["steps"], after["steps"], strict=True)):
        for name, field in _changed(was, now):
            moved = list(_moved_by(old.steps[at], new.steps[at], at, field))
            if not moved:
                raise _not_a_threshold(name, field)
            yield from moved


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(step, field) of the settings that differ."""
    ((name, old),) = was.items()
    return [(name, field) for field in {**old, **now[name]} if old.get(field) != now[name].get(field)]


def _moved_by(old: DocumentStep, new: DocumentStep, at: int, field: str) -> Iterator[Moved]:
    """The rules whose thresholds this field alone moves; none where it does more, or the step is no filter."""
    if not isinstance(old, Filter):
        return
    try:
        rules = replace(cast(Any, old), **{field: getattr(new, field)}).rules()
    except ValueError as error:
        raise RecipeError(str(error), where=f"--set {step_name(type(old))}.{field}") from error
    pairs = list(zip(old.rules(), rules, strict=False))
    if len(rules) == len(old.rules()) and all(was == replace(now, threshold=was.threshold) for was, now in pairs):
        yield from (Moved(at, field, was, now) for was, now in pairs if was.threshold != now.threshold)


def _not_a_threshold(step: str, field: str) -> RecipeError:
    return RecipeError(
        "this setting decides what is read or measured, and is no threshold of a filter",
        where=f"--set {step}.{field}",
        hint="run `gristmill curate` with it",
    )


def _refuse_ambiguous(recipe: Recipe, moved: Sequence[Moved]) -> None:
    """Raises RecipeError where the stored values do not say what a fresh run would have judged, or in which of two steps."""
    for set_step in recipe.corpus:
        if SITE_RULES in set_step.reads:
            raise RecipeError(
                "it reads robots.txt and the like of the archives, which a corpus does not hold", where=step_name(type(set_step))
            )
        if document.CUTS[0] in set_step.fills:
            where, hint = step_name(type(set_step)), "run `gristmill curate` again"
            raise RecipeError("it has cut the texts that the corpus holds: what it would cut now is not known", where=where, hint=hint)
    for name in sorted({step_name(type(step)) for step in recipe.steps if step.reasons}):
        places = [at for at, step in enumerate(recipe.steps) if step_name(type(step)) == name]
        if len(places) > 1 and not (_share_no_document(recipe, places) and not {each.at for each in moved} & set(places)):
            raise RecipeError("the step stands twice: which of the two rejected a document is not stored", where=name)
    for at in {each.at for each in moved}:
        later = {name for step in recipe.steps[at + 1 :] for name in step.signals}
        for rule in recipe.steps[at].rules():
            if rule.signal in later:
                where = step_name(type(recipe.steps[at]))
                raise RecipeError(f"its rule reads {rule.signal!r}, which a later step measures again and stores", where=where)
    for at, step in enumerate(recipe.steps):
        if "text_digest" in step.adds and not (isinstance(step, TextDigest) and not any(each.rewrites_text for each in recipe.steps[at:])):
            raise RecipeError("text_digest is not stored, and cannot be told from the final text", where=step_name(type(step)))


def _share_no_document(recipe: Recipe, places: Sequence[int]) -> bool:
    """Each has sources of its own, and nothing stands between them: then their faults have one place on the road."""
    sources = [source for at in places for source in recipe.steps[at].sources]
    all_limited = all(recipe.steps[at].sources for at in places)
    return all_limited and len(set(sources)) == len(sources) and places[-1] - places[0] == len(places) - 1


def _refuse_unknown(change: Change) -> None:
    """Raises InputError where the corpus lacks rejected documents that the new settings might treat otherwise."""
    where, hint = change.corpus.uri, "make it once with `gristmill curate --set output.keep_rejected=true`, then refilter that"
    if change.recipe.output.keep_rejected:
        raise InputError("output.keep_rejected was turned on, and the corpus holds no rejected documents", where=where, hint=hint)
    for each in change.moved:
        if each.is_looser:
            name = f"{step_name(type(change.recipe.steps[each.at]))}.{each.field}"
            what = f"{name} was loosened ({each.old.threshold:g} to {each.new.threshold:g}), and the corpus holds no rejected documents"
            raise InputError(what, where=where, hint=hint)
    first = min((each.at for each in change.moved), default=len(change.recipe.steps))
    moved_codes = [each.new.reason.code for each in change.moved if each.at == first]
    place_of = {CRASHED.code: -1} | {reason.code: -1 for source in change.recipe.sources for reason in source.reasons}
    place_of |= {reason.code: at for at, step in enumerate(change.recipe.steps) for reason in step.reasons}
    unknown = {
        code: told["documents"]
        for code, told in change.parent["outcomes"].items()
        if code != document.KEPT and place_of.get(code, len(change.recipe.steps)) >= first and moved_codes != [code]
    }
    if unknown:
        listed = ", ".join(f"{code} {count:,}" for code, count in sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0]))[:3])
        what = f"the corpus lacks {sum(unknown.values()):,} rejected documents that the new settings would judge anew ({listed})"
        raise InputError(what, where=where, hint=hint)


def _refuse_other_signals(change: Change) -> None:
    """Raises InputError where the recipe of today measures other signals than are stored."""
    place = change.corpus / DOCUMENTS / change.parent["shards"][DOCUMENTS][0]["file"]
    try:
        with place.open() as stream:
            stored = pq.read_schema(stream).field("signals").type
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError("cannot read the shard", where=place.uri, hint=str(error).partition("\n")[0]) from error
    if {field.name: field.type for field in stored} != signal_types(change.recipe.steps):
        raise InputError(
            "the corpus holds other signals than its recipe measures today: it was made by another version",
            where=change.corpus.uri,
            hint="run `gristmill curate` again",
        )

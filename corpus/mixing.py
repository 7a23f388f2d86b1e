"""How much of each kind of text goes into the training mixture: weights, temperature, epochs and budgets by source and language.

A document is drawn whole, a number of times that its id decides: a group that is to be read 2.3 times gives each document 2 or 3, the
share of those with 3 being three in ten. Nothing is copied: ``repeats`` stands on the document, and 0 takes it off the road.

    Mix(weights={"wikipedia/en": 2.0}, temperature=2.0, tokens=10_000_000_000)(table, work)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus import hashing
from corpus.step import CorpusStep, Reason, Workspace, step_name

NOT_DRAWN = Reason("mixing:not_drawn", "the mixture takes less of this source and language than there is, and the document was not drawn")

FINEWEB2 = ((1, 1.0), (2, 2.0), (3, 3.0), (5, 5.0), (100, 8.0), (1000, 1.0))


@final
@dataclass(frozen=True, kw_only=True)
class Mix(CorpusStep):
    """Sets ``repeats``, how often a document is to be read in training; a document that is read never is rejected.

    Groups are ``source/language`` (by ``by``; ``-`` stands for none). A group's share of the tokens is its weight (1 if ``weights`` does
    not name it) times its tokens to the power 1 / ``temperature`` (mT5, arXiv 2010.11934, has 1 / 0.3): 1 leaves the sizes as they are,
    a great one makes the groups equal. ``tokens``: of the whole mixture; 0 for as many as there are. ``budgets``: the most tokens of a
    group; ``max_epochs``: the most often a group is read, after which repetition no longer helps (four: Muennighoff, arXiv 2305.16264).
    What a bound takes from a group the others get, by their shares. Tokens are counted as characters / ``characters_per_token``, by
    language where named (``{"zh": 1.6, "": 4.0}``); `tokenization/fertility.py` measures it.

    ``rehydrate``: (size from which on, times) by the documents of its cluster, multiplied with the group's epochs: what the web repeats is
    better than what it does not, up to a point. :data:`FINEWEB2` is FineWeb-2's (arXiv 2506.20920). What is met there counts as tokens.
    """

    by: tuple[Literal["source", "collection", "language"], ...] = ("source", "language")
    weights: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    tokens: int = 0
    budgets: dict[str, int] = field(default_factory=dict)
    max_epochs: float = 4.0
    characters_per_token: dict[str, float] = field(default_factory=lambda: {"": 4.0})
    rehydrate: tuple[tuple[int, float], ...] = ()
    salt: str = "mix"

    reasons = (NOT_DRAWN,)
    fills = ("repeats",)

    def __post_init__(self) -> None:
        if not self.by or len(set(self.by)) < len(self.by):
            raise ValueError("by names at least one column, and none twice")
        numbers = [*self.weights.values(), *self.budgets.values(), self.tokens, *(times for _, times in self.rehydrate)]
        if min(numbers) < 0 or self.temperature <= 0 or self.max_epochs <= 0:
            raise ValueError("weights, budgets, tokens and times cannot be negative; temperature and max_epochs must be positive")
        if "" not in self.characters_per_token or min(self.characters_per_token.values()) <= 0:
            raise ValueError("characters_per_token needs positive numbers, and one for the language '' (all that are not named)")
        sizes = [size for size, _ in self.rehydrate]
        if sizes and (sizes != sorted(set(sizes)) or sizes[0] != 1):
            raise ValueError("rehydrate begins with size 1, and sizes ascend")

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        live = F.col("outcome").isNull()
        measured = documents.withColumns({"group": self._group(), "times": self._times()})
        counted = workspace.materialise("groups", lambda: self._counted(measured.where(live)))
        epochs = {row["group"]: row["epochs"] for row in self._table(counted)}
        wanted = F.create_map(*(F.lit(each) for pair in epochs.items() for each in pair)) if epochs else F.lit(None)
        reads = wanted[F.col("group")] * F.col("times") if epochs else F.lit(0.0)
        place = F.udf(self.place, "double", useArrow=True)(F.col("id"))
        repeats = (F.floor(reads) + (place < reads - F.floor(reads)).cast("long")).cast("int")
        drawn = measured.withColumn("repeats", F.when(live, repeats))
        lost = live & (F.col("repeats") == 0)
        changed = {
            "outcome": F.when(lost, NOT_DRAWN.code).otherwise(F.col("outcome")),
            "step": F.when(lost, step_name(type(self))).otherwise(F.col("step")),
            "value": F.when(lost, reads).otherwise(F.col("value")),
        }
        kept = drawn.withColumns({**changed, "repeats": F.when(~lost, F.col("repeats"))})
        return kept.select(documents.columns)

    def findings(self, workspace: Workspace) -> dict[str, Any]:
        """``mixture``: [{group, documents, tokens, epochs, target, share}] in the order of shares; tokens are what there is."""
        return {"mixture": self._table(workspace.reread("groups"))}

    def place(self, identity: str) -> float:
        """Where a document stands in [0, 1): it is read once more than the whole number where that is below the fraction."""
        return hashing.fraction(identity, self.salt)

    def _group(self) -> Column:
        return F.concat_ws("/", *(F.coalesce(name, F.lit("-")) for name in self.by))

    def _times(self) -> Column:
        """How often the cluster's size has a document read."""
        times = F.lit(1.0)
        for size, factor in self.rehydrate:
            times = F.when(F.coalesce("cluster_size", F.lit(1)) >= size, F.lit(factor)).otherwise(times)
        return times

    def _counted(self, measured: DataFrame) -> DataFrame:
        """(group, language, times, documents, characters): whole numbers, whose sums have no order."""
        language = F.coalesce("language", F.lit("")).alias("language")
        totals = (F.count("*").alias("documents"), F.coalesce(F.sum("characters"), F.lit(0)).alias("characters"))
        return measured.groupBy("group", language, "times").agg(*totals)

    def _table(self, counted: DataFrame) -> list[dict[str, Any]]:
        documents: dict[str, int] = {}
        tokens: dict[str, float] = {}
        for row in sorted(counted.collect()):
            ratio = self.characters_per_token.get(row["language"], self.characters_per_token[""])
            documents[row["group"]] = documents.get(row["group"], 0) + row["documents"]
            tokens[row["group"]] = tokens.get(row["group"], 0.0) + row["characters"] * row["times"] / ratio
        limits = {group: min(self.budgets.get(group, there * self.max_epochs), there * self.max_epochs) for group, there in tokens.items()}
        shares = {group: self.weights.get(group, 1.0) * there ** (1 / self.temperature) for group, there in tokens.items()}
        targets = fill(shares, limits, self.tokens or sum(tokens.values()))
        whole = sum(targets.values())
        rows = [
            {
                "group": group,
                "documents": documents[group],
                "tokens": round(there),
                "epochs": round(targets[group] / there, 6) if there else 0.0,
                "target": round(targets[group]),
                "share": round(targets[group] / whole, 6) if whole else 0.0,
            }
            for group, there in tokens.items()
        ]
        return sorted(rows, key=lambda row: (-row["share"], row["group"]))


def fill(shares: Mapping[str, float], limits: Mapping[str, float], total: float) -> dict[str, float]:
    """``total`` dealt by shares, none beyond its limit: what a limit leaves over is dealt to the others again.

    >>> fill({"a": 1.0, "b": 1.0, "c": 2.0}, {"a": 1.0, "b": 9.0, "c": 9.0}, 10.0)
    {'a': 1.0, 'b': 3.0, 'c': 6.0}
    """
    full: dict[str, float] = {}
    while True:
        open_ = [group for group in sorted(shares) if group not in full and shares[group] > 0]
        left = max(0.0, total - _sum(full.values()))
        whole = _sum(shares[group] for group in open_)
        dealt = {group: left * (shares[group] / whole) for group in open_} if whole else {}  # a product with the least float would be 0
        over = {group: limits[group] for group, amount in dealt.items() if amount > limits[group]}
        if not over:
            return {group: full.get(group, dealt.get(group, 0.0)) for group in shares}
        full |= over


def _sum(values: Iterable[float]) -> float:
    """In sorted order: the same bits whatever the order of the groups."""
    return sum(sorted(values))

"""Which of several duplicates is kept: one explicit, total order.

rule = SurvivorRule(sources=("wikipedia",), prefer=("longest", "oldest"))
Window.partitionBy("cluster").orderBy(*rule.order())
"""

from dataclasses import dataclass
from typing import Literal, final

from pyspark.sql import Column
from pyspark.sql import functions as F

Preference = Literal["longest", "shortest", "newest", "oldest"]


@final
@dataclass(frozen=True, kw_only=True)
class SurvivorRule:
    """First by source, in the order of ``sources`` (those not named come last), then by the preferences in turn, then by id.

    The longest text has the least cut off it; of equal ones the oldest is nearest to the original.
    """

    sources: tuple[str, ...] = ()
    prefer: tuple[Preference, ...] = ("longest", "oldest")

    def order(self) -> list[Column]:
        """Columns to order by, ascending: the first row survives. Reads source, characters, date and id."""
        by_source = F.lit(len(self.sources))
        for place, source in reversed(list(enumerate(self.sources))):
            by_source = F.when(F.col("source") == source, place).otherwise(by_source)
        orders = {
            "longest": F.desc_nulls_last("characters"),
            "shortest": F.asc_nulls_last("characters"),
            "newest": F.desc_nulls_last("date"),
            "oldest": F.asc_nulls_last("date"),
        }
        return [by_source.asc(), *(orders[name] for name in self.prefer), F.asc("id")]

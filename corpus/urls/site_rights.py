"""What sites say of all their pages, applied to the pages wherever the record of the file lies in the input.

The fused pass keeps the text of robots.txt, ai.txt and tdmrep.json on the ledger table (``site_rules``); here the pages of a site meet
its files: one shuffle by site, of ids and URLs alone, in which a task sees a site's files before its pages and holds one site's at a time.

    table = SiteRights(respect=("robots", "tdmrep"))(table, work)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.rights import check_respect
from corpus.step import CorpusStep, Reason, Workspace, step_name
from corpus.tasks import guarded
from corpus.urls.site_files import SiteRules, site_file, site_of

ROBOTS = Reason("rights:robots", "the site's robots.txt keeps a crawler for machine learning from the page")
TDMREP = Reason("rights:tdmrep", "the site reserves text and data mining of the page (tdmrep.json)")
SITE_AIPREF = Reason("rights:site_aipref", "the site prefers that no model be trained on the page (Content-Usage in robots.txt)")
AI_TXT = Reason("rights:ai_txt", "the site's ai.txt keeps the page from machine learning")

STATEMENTS = {"robots": ROBOTS, "tdmrep": TDMREP, "aipref": SITE_AIPREF, "ai_txt": AI_TXT}  # what a site may state, as `respect` names it

# Product tokens of crawlers that gather for machine learning, as their makers document them.
AI_AGENTS = (
    "ai2bot", "amazonbot", "anthropic-ai", "applebot-extended", "bytespider", "ccbot", "claude-web", "claudebot", "cohere-ai", "diffbot",
    "facebookbot", "google-extended", "gptbot", "meta-externalagent", "omgili", "perplexitybot", "timpibot",
)  # fmt: skip
_FOUND = "opt_outs"


@final
@dataclass(frozen=True, kw_only=True)
class SiteRights(CorpusStep):
    """Fills ``site_opt_outs`` (``robots:gptbot``, ``aipref``, ``ai_txt``, ``tdmrep``), rejects what is refused by
    the statements that ``respect`` names; none: it only records.

    A page is refused by robots.txt where one of ``agents`` may not read it (RFC 9309: its own group, else that of all). Of several records
    of one file the latest counts, by WARC-Date, then id; "not found" takes back what was said before, a server's error says nothing.
    A page's own word (``read_rights``) and its site's are both heard: one refusal is enough.
    """

    agents: tuple[str, ...] = AI_AGENTS
    respect: tuple[str, ...] = ("robots", "tdmrep", "aipref", "ai_txt")

    reads = ("site_rules",)
    fills = ("site_opt_outs",)
    reasons = tuple(STATEMENTS.values())

    def __post_init__(self) -> None:
        check_respect(self.respect, STATEMENTS)

    def __call__(self, documents: DataFrame, workspace: Workspace) -> DataFrame:
        found = workspace.materialise(_FOUND, lambda: self._opt_outs(documents))
        met = documents.drop("site_opt_outs").join(found, "id", "left")
        is_on_road = F.col("outcome").isNull()
        refused = F.when(is_on_road, F.coalesce(*(F.when(each, F.lit(reason.code)) for reason, each in self._refusals())))
        joined = met.withColumns({"site_opt_outs": F.when(is_on_road, F.col("site_opt_outs")), "refused": refused})
        changed = {
            "outcome": F.coalesce("outcome", "refused"),
            "step": F.when(F.col("refused").isNotNull(), step_name(type(self))).otherwise(F.col("step")),
            "site_rules": F.lit(None).cast("string"),  # done with: later shuffles need not carry them
        }
        return joined.withColumns(changed).drop("refused").select(documents.columns)

    def findings(self, workspace: Workspace) -> dict[str, object]:
        each = workspace.reread(_FOUND).select(F.explode("site_opt_outs").alias("name")).groupBy("name").count().collect()
        counts = {row["name"]: row["count"] for row in each}
        return {"opt_outs": [{"name": name, "documents": counts[name]} for name in sorted(counts, key=lambda name: (-counts[name], name))]}

    def _refusals(self) -> list[tuple[Reason, Column]]:
        stated = F.col("site_opt_outs")
        every = {name: F.array_contains(stated, name) for name in STATEMENTS}
        every["robots"] = F.exists(stated, lambda name: name.startswith("robots:"))  # an entry for each crawler
        return [(reason, every[name]) for name, reason in STATEMENTS.items() if name in self.respect] or [(ROBOTS, F.lit(False))]

    def _opt_outs(self, documents: DataFrame) -> DataFrame:
        """(id, site_opt_outs) of the documents on the road of which something is refused."""
        site = F.udf(site_of, "string", useArrow=True)
        keyed = documents.where("url is not null").withColumn("site", site("url")).where("site is not null")
        rules = keyed.where("site_rules is not null").select("site", F.lit(False).alias("is_page"), "id", "url", "date", "site_rules")
        nothing = F.lit(None).cast("string").alias("site_rules")
        pages = keyed.where("outcome is null").select("site", F.lit(True).alias("is_page"), "id", "url", "date", nothing)
        rows = rules.unionByName(pages).repartition("site")
        ordered = rows.sortWithinPartitions("site", "is_page", F.desc_nulls_last("date"), "id")
        agents = tuple(self.agents)
        return ordered.mapInArrow(guarded(lambda batches: _evaluated(batches, agents)), "id string, site_opt_outs array<string>")


def _evaluated(batches: Iterator[Any], agents: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Rows by site, its files first and the latest of them first -> the pages of which something is refused."""
    site, files, rules = None, {}, None  # type: str | None, dict[str, str], SiteRules | None
    for batch in batches:
        ids: list[str] = []
        found: list[list[str]] = []
        columns = [batch[name].to_pylist() for name in ("site", "is_page", "id", "url", "site_rules")]
        for of, is_page, identity, url, text in zip(*columns, strict=True):
            if of != site:
                site, files, rules = of, {}, None
            if not is_page:
                files.setdefault(site_file(url) or "", text)
            elif files and not site_file(url):  # the files themselves may always be read (RFC 9309, 2.2.2)
                rules = rules or SiteRules(files, agents)
                if opt_outs := rules.opt_outs(url):
                    ids.append(identity)
                    found.append(opt_outs)
        yield pa.RecordBatch.from_arrays(
            [pa.array(ids, pa.string()), pa.array(found, pa.list_(pa.string()))], names=["id", "site_opt_outs"]
        )

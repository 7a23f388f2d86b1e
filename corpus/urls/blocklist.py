"""Rejects documents by their URL: domains, whole URLs, and words in URLs.

The rules are RefinedWeb's (arXiv 2306.01116, appendix G.1): a domain list; words that condemn a URL wherever they stand as words of
their own; and soft words, of which two are needed. The lists that come with us are short and our own; a user names larger ones.

    BlockUrls(domain_files=("ut1_adult.txt",))(batch)
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import final
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa

from corpus.errors import AssetError
from corpus.step import DocumentStep, Reason, reject, step_name
from corpus.storage import locate

DOMAIN = Reason("url:blocked_domain", "the domain, or one it belongs to, is on a blocklist")
URL = Reason("url:blocked_url", "the URL is on a blocklist")
WORD = Reason("url:blocked_word", "the URL holds a blocked word")
SOFT_WORDS = Reason("url:soft_words", "the URL holds too many words that together speak against it")

_ADDRESS = re.compile(r"[0-9.]{7,15}|[0-9a-f:]*::[0-9a-f:.]*(?:%\w+)?")
_OF_THE_MACHINE = ("localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "0.0.0.0")
_SPLIT = re.compile(r"[^a-z0-9]+")


@final
@dataclass(frozen=True, kw_only=True)
class BlockUrls(DocumentStep):
    """``words`` and ``soft_words`` None: the lists that come with us. Words are matched whole, so ``sussex`` and ``essays`` pass.

    ``domain_files``: a domain a line, or lines of a hosts file (``0.0.0.0 bad.example``). ``categories``: folders of a list like that of
    the University of Toulouse (UT1), each with a file ``domains``, a file ``urls`` (``bad.example/path``, which covers what lies below), or
    both.
    """

    domains: tuple[str, ...] = ()
    domain_files: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    soft_words: tuple[str, ...] | None = None
    min_soft_words: int = 2

    reasons = (DOMAIN, URL, WORD, SOFT_WORDS)

    def assets(self) -> tuple[str, ...]:
        found = [f"{folder.rstrip('/')}/{name}" for folder in self.categories for name in ("domains", "urls")]
        return (*self.domain_files, *(path for path in found if locate(path).exists()))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        _check_categories(self.categories)
        domains = _domains(self.domains, tuple(path for path in self.assets() if not path.endswith("/urls") or path in self.domain_files))
        pages = _pages(tuple(path for path in self.assets() if path.endswith("/urls") and path not in self.domain_files))
        hard = frozenset(_list("hard") if self.words is None else self.words)
        soft = frozenset(_list("soft") if self.soft_words is None else self.soft_words)
        exact = frozenset(self.urls)
        masks = np.zeros((4, batch.num_rows), dtype=bool)
        softs = np.zeros(batch.num_rows)
        for row, url in enumerate(batch["url"].to_pylist()):
            if not url:
                continue
            found = words_of(url)
            softs[row] = len(found & soft)
            masks[:, row] = (
                bool(domains) and _is_below(host(url), domains),
                url in exact or (bool(pages) and _is_page_below(url, pages)),
                not hard.isdisjoint(found),
                softs[row] >= self.min_soft_words,
            )
        name = step_name(type(self))
        for mask, reason in zip(masks, self.reasons, strict=True):
            is_soft = reason is SOFT_WORDS
            batch = reject(batch, name, reason, mask, softs if is_soft else None, self.min_soft_words if is_soft else None)
        return batch


def host(url: str) -> str:
    """Lower-case host without port; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def words_of(url: str) -> set[str]:
    """The words of host and path: what stands between characters that are neither letters nor digits, lower case."""
    return set(_SPLIT.split(unquote(url[:2000]).lower())) - {""}


def _is_below(name: str, domains: frozenset[str]) -> bool:
    while name:
        if name in domains:
            return True
        name = name.partition(".")[2]
    return False


@lru_cache(maxsize=8)
def _domains(named: tuple[str, ...], files: tuple[str, ...]) -> frozenset[str]:
    found = {name.strip().lower().strip(".") for name in named}
    for path in files:
        try:
            lines = locate(path).read_bytes().decode("utf-8", "replace").splitlines()
        except OSError as error:
            raise AssetError("cannot read the list of domains", where=path, hint=error.strerror or str(error)) from error
        for line in lines:
            parts = line.split("#")[0].lower().split()
            found |= {part.strip(".") for part in (parts[1:] if len(parts) > 1 and _ADDRESS.fullmatch(parts[0]) else parts[:1])}
    return frozenset(found - {"", *_OF_THE_MACHINE})


def _check_categories(folders: tuple[str, ...]) -> None:
    for folder in folders:
        if not any(locate(f"{folder.rstrip('/')}/{name}").exists() for name in ("domains", "urls")):
            raise AssetError("the category has neither domains nor urls", where=folder, hint="name the folder of one category")


@lru_cache(maxsize=8)
def _pages(files: tuple[str, ...]) -> frozenset[str]:
    """Entries ``host/path`` of lists of URLs, without scheme, ``www.`` and slash at the end."""
    lines = [line for path in files for line in locate(path).read_bytes().decode("utf-8", "replace").splitlines()]
    return frozenset(_bare(line) for line in lines if "/" in line and not line.startswith("#"))


def _bare(url: str) -> str:
    return url.strip().lower().rpartition("://")[2].removeprefix("www.").rstrip("/")


def _is_page_below(url: str, pages: frozenset[str]) -> bool:
    """Is the URL, or a folder or page above it, in the list?"""
    name = _bare(url.split("#")[0])
    while "/" in name:
        if name in pages or name.split("?")[0] in pages:
            return True
        name = name.rpartition("/")[0]
    return False


@lru_cache(maxsize=2)
def _list(name: str) -> tuple[str, ...]:
    text = resources.files("corpus.resources.urls").joinpath(f"{name}_words.txt").read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))

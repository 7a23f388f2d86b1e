"""Texts to measure perplexity on: a user's JSON lines, or Wikitext as Merity et al. (2017) give it out.

Words are what white space separates in the text as it was given. Of Wikitext, articles are scored as GPT-2 and lm-evaluation-harness do:
detokenized (" @-@ " -> "-"), their ends not predicted, and the nats divided by the words of the original; once without line ends, as
lm-evaluation-harness counts, and once with each a word, as Merity et al. do (245,569 in the test set of Wikitext-2).

    texts = read_texts(Path("my_domain.jsonl"))
    list(texts.documents(tokenizer))
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from corpus.errors import InputError
from modeling.evaluation.tasks import Card
from modeling.evaluation.texts import Document
from modeling.records import records, text_of
from tokenization.tokenizer import BOS, EOS, Tokenizer

_ARTICLE = re.compile(r"^ = [^=\n][^\n]*[^=\n] = \n(?= ?\n)", re.MULTILINE)
# Megatron-LM's rules, to the letter, in their order: figures of others rest on them
_JOINED = (("s '", "s'"), (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."), *((f" {mark} ", f"{mark} ") for mark in ":;.!?,"))
_ENCLOSED = tuple((re.compile(rf"{left}\s*([^{right}]*?)\s*{right}"), plain) for left, right, plain in (
    (r"\(", r"\)", r"(\1)"), (r"\[", r"\]", r"[\1]"), ("{", "}", r"{\1}"), ('"', '"', r'"\1"'), ("'", "'", r"'\1'"),
))  # fmt: skip
_REST = (("= = = =", "===="), ("= = =", "==="), ("= =", "=="), (" \N{DEGREE SIGN} ", "\N{DEGREE SIGN}"), (" \n", "\n"), ("\n ", "\n"),
         (" N ", " 1 "), (" 's", "'s"))  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class Text:
    """``text`` is what is scored; ``words``, ``lines`` (their ends) and ``bytes`` are of the original."""

    text: str
    words: int
    lines: int
    bytes: int
    source: str = "unknown"
    language: str = "unknown"


@final
@dataclass(frozen=True, kw_only=True)
class Texts:
    """A set of texts by its name. ``has_end``: whether ``</s>`` is to be predicted behind each."""

    name: str
    format: str
    texts: tuple[Text, ...]
    digest: str
    source: str = ""

    @property
    def has_end(self) -> bool:
        return self.format != "wikitext"

    def documents(self, tokenizer: Tokenizer) -> Iterator[Document]:
        for each in self.texts:
            ids = np.concatenate([[BOS], tokenizer.encode(each.text), [EOS] if self.has_end else []]).astype(np.int64)
            yield Document(ids=ids, bytes=each.bytes, source=each.source, language=each.language, words=each.words, lines=each.lines)


def read_texts(path: Path) -> Texts:
    """A file of JSON lines, or the folder of a task of kind ``text``. Raises InputError naming file and line."""
    card = Card.read(path) if path.is_dir() else Card(kind="text", name=path.stem)
    file = path / card.items if path.is_dir() else path
    texts = tuple(_wikitext(text_of(file)) if card.format == "wikitext" else _lines(file))
    if not texts:
        raise InputError("there are no texts", where=str(file), hint='each line is {"text": "…"}')
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Texts(name=card.name, format=card.format, texts=texts, digest=digest, source=card.source)


def detokenized(text: str) -> str:
    """Wikitext without the marks and spaces that its tokenizer put in."""
    for old, new in _JOINED:
        text = text.replace(old, new)
    for pattern, new in _ENCLOSED:
        text = pattern.sub(new, text)
    for old, new in _REST:
        text = text.replace(old, new)
    return text


def _wikitext(content: str) -> Iterator[Text]:
    """An article each; a title stands in a line of its own between single equals signs, with an empty line before and behind it."""
    starts = [0, *[found.start() for found in _ARTICLE.finditer(content)][1:]]  # an empty line stands before the first title
    for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
        article = content[start:end]
        if words := len(article.split()):
            yield Text(text=detokenized(article), words=words, lines=article.count("\n"), bytes=len(article.encode()))


def _lines(path: Path) -> Iterator[Text]:
    for number, record in records(path):
        text = record.get("text")
        if not isinstance(text, str) or not text:
            raise InputError("a line has no text", where=f"{path}:{number}", hint='each line is {"text": "…"}')
        groups = {name: str(record.get(name) or "unknown") for name in ("source", "language")}
        yield Text(text=text, words=len(text.split()), lines=text.count("\n"), bytes=len(text.encode()), **groups)

"""What a tokenizer is trained and measured on: the beginning of a corpus, whose documents lie in the order of a hash of their id.

So the first of them are a random draw, the same on every machine, and no more of a corpus is read or held than is taken, however large
it is. Only documents of the training split are trained on; only others are measured.

    sample = Sample(locate("build/demo/corpus"), cap_bytes=100_000_000, weights={"deu": 2.0})
    sum(len(text) for text in sample.texts())
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import xxhash

from corpus import manifest
from corpus.errors import InputError
from corpus.hashing import fraction
from corpus.splits import TRAIN
from corpus.storage import Place
from tokenization.documents import documents_of

SAMPLE_BYTES = 100_000_000  # sentencepiece's Unigram took 70 GB for 10 M sentences; 100 MB of text take 2 to 4
_HELD_OUT_BYTES = 5_000_000  # that a tokenizer is measured on
_LINE_CHARACTERS = 1000  # sentencepiece drops sentences beyond max_sentence_length; 1,000 characters are at most 4,000 bytes
MAX_SENTENCE_LENGTH = 4 * _LINE_CHARACTERS + 8


@final
@dataclass(frozen=True)
class Text:
    """A document as far as it matters here."""

    language: str | None
    source: str | None
    text: str


@final
@dataclass(frozen=True)
class Sample:
    """The first documents of the training split, until ``cap_bytes`` of UTF-8 are reached.

    ``weights``: by language, 1 for those not named. The document's id decides whether it is taken, with a chance of its weight over the
    largest weight: ``{"deu": 2}`` leaves out half of all that is not German.
    """

    corpus: Place
    cap_bytes: int
    weights: Mapping[str, float] = field(default_factory=dict)

    def documents(self) -> Iterator[Text]:
        held, largest = 0, max([1.0, *self.weights.values()])
        for split, key, each in documents_in_order(self.corpus, with_ids=bool(self.weights)):
            if split != TRAIN:
                continue
            if self.weights and fraction(key, "tokenizer sample") >= self.weights.get(each.language or "unknown", 1.0) / largest:
                continue
            if held >= self.cap_bytes:
                return
            held += len(each.text.encode())
            yield each

    def texts(self) -> Iterator[str]:
        return (each.text for each in self.documents())

    def lines(self) -> Iterator[str]:
        """Lines that are not empty, cut to 1,000 characters."""
        for text in self.texts():
            for line in text.split("\n"):
                for at in range(0, len(line), _LINE_CHARACTERS):
                    yield line[at : at + _LINE_CHARACTERS].replace("\0", " ")  # sentencepiece ends a string at NUL

    def facts(self) -> dict[str, Any]:
        """Counts and a digest. Raises InputError where a weight is given to a language that the sample has not."""
        digest, documents, sizes = xxhash.xxh3_128(), 0, Counter[str]()
        for each in self.documents():
            encoded = each.text.encode()
            digest.update(b"%d:%s" % (len(encoded), encoded))
            documents += 1
            sizes[each.language or "unknown"] += len(encoded)
        for language, weight in self.weights.items():
            if weight and language not in sizes:
                there = ", ".join(sorted(sizes)) or "none"
                raise InputError("no such language in the sample", where=f"--language-weight {language}", hint=f"there are {there}")
        held = sum(sizes.values())
        found = {"documents": documents, "bytes": held, "capped": held >= self.cap_bytes, "xxh3_128": digest.hexdigest()}
        return found | {"languages": dict(sorted(sizes.items())), "weights": dict(sorted(self.weights.items()))}


def documents_in_order(corpus: Place, *, with_ids: bool = False) -> Iterator[tuple[str, str, Text]]:
    """(split, id or "", document) in hash order; a corpus that was not split is all training."""
    for shard in manifest.read(corpus)["shards"]["documents"]:
        with documents_of(corpus / "documents" / shard["file"]) as file:
            wanted = ["split", "language", "source", "text", *(["id"] if with_ids else [])]
            columns = [name for name in wanted if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for row in batch.to_pylist():
                    yield row["split"] or TRAIN, row.get("id", ""), Text(row["language"], row.get("source"), row["text"])


def held_out(corpus: Place) -> Iterator[Text]:
    """Validation and test documents, up to 5 MB: text that the tokenizer did not learn from."""
    held = 0
    for split, _, each in documents_in_order(corpus):
        if held >= _HELD_OUT_BYTES:
            return
        if split != TRAIN:
            held += len(each.text.encode())
            yield each

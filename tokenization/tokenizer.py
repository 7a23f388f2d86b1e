"""A tokenizer folder: its manifest, its native model, and text to ids and back.

Three kinds, one vocabulary layout: ids 0 to 3 are <unk>, <s>, </s>, <pad>, and every byte has a token of its own, so that no text is
unknown. None of the four is ever made from text, whatever the text says. All kinds but WordPiece are sentencepiece models, which
write a space as U+2581: a U+2581 of the text itself comes back as a space. All else comes back as it was.

    tokenizer = load("build/demo/tokenizer")
    ids = tokenizer.encode("The mill grinds.")      # int32, shape (tokens,)
    tokenizer.decode(ids)
"""

import abc
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import sentencepiece
import tokenizers

from corpus.errors import AssetError

FORMAT = "gristmill tokenizer 1"
MANIFEST, NATIVE, EXPORTED, EXPORT_CONFIG, FERTILITY = (
    "manifest.json",
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "fertility.json",
)
KINDS = ("bpe", "unigram", "wordpiece")
SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
UNKNOWN, BOS, EOS, PAD = range(4)
CONTINUATION = "\N{RIGHTWARDS ARROW WITH HOOK}"  # WordPiece's, not "##": a text's own # could not be told from it; no byte is written so
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class Tokenizer(abc.ABC):
    """Text to ids and back. ``digest`` names it: the SHA-256 of its native model."""

    kind: str
    digest: str

    @property
    @abc.abstractmethod
    def vocabulary(self) -> int:
        """Number of ids."""

    @abc.abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """Ids of the text alone, no <s> and no </s>: int32, shape (tokens,)."""

    @abc.abstractmethod
    def decode(self, ids: np.ndarray) -> str:
        """The text; special tokens give nothing, bytes that make no character give U+FFFD."""

    @abc.abstractmethod
    def is_byte(self) -> np.ndarray:
        """Which ids stand for a single byte that had no piece of its own: bool, shape (vocabulary,)."""

    @abc.abstractmethod
    def byte_lengths(self) -> np.ndarray:
        """How many bytes of UTF-8 each id stands for, 0 for the special ones: int64, shape (vocabulary,)."""


@final
@dataclass(frozen=True)
class SentencePiece(Tokenizer):
    """BPE or Unigram, by sentencepiece."""

    kind: str
    digest: str
    model: bytes

    @cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    @property
    def vocabulary(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> np.ndarray:
        # Line by line, which is the same: no piece holds a newline. Scores are float32 sums, exact for a line, not for a book.
        lines = self._processor.encode(_LINES.findall(_encodable(text)), num_threads=1)
        return np.fromiter((each for line in lines for each in line), np.int32)

    def decode(self, ids: np.ndarray) -> str:
        return self._processor.decode(np.asarray(ids)[np.asarray(ids) >= len(SPECIAL)].tolist())

    def is_byte(self) -> np.ndarray:
        return np.array([self._processor.is_byte(each) for each in range(self.vocabulary)])

    def byte_lengths(self) -> np.ndarray:
        pieces = [self._processor.id_to_piece(each).replace("\u2581", " ") for each in range(self.vocabulary)]
        lengths = np.array([len(piece.encode()) for piece in pieces], np.int64)
        lengths[self.is_byte()] = 1
        lengths[: len(SPECIAL)] = 0
        return lengths


@final
@dataclass(frozen=True)
class WordPiece(Tokenizer):
    """WordPiece over bytes, by tokenizers."""

    kind: str
    digest: str
    model: bytes

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        made = tokenizers.Tokenizer.from_buffer(self.model)
        made.encode_special_tokens = True
        return made

    @property
    def vocabulary(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> np.ndarray:
        return np.array(self._tokenizer.encode(_encodable(text), add_special_tokens=False).ids, np.int32)

    def decode(self, ids: np.ndarray) -> str:
        return self._tokenizer.decode(np.asarray(ids).tolist(), skip_special_tokens=True)

    def is_byte(self) -> np.ndarray:
        return np.zeros(self.vocabulary, bool)

    def byte_lengths(self) -> np.ndarray:
        pieces = [self._tokenizer.id_to_token(each) or "" for each in range(self.vocabulary)]
        lengths = np.array([len(piece.removeprefix(CONTINUATION)) for piece in pieces], np.int64)  # a letter is a byte
        lengths[: len(SPECIAL)] = 0
        return lengths


def load(folder: str | Path) -> Tokenizer:
    """The tokenizer of a folder. Raises AssetError where there is none, or its files are not those that the manifest names."""
    return from_manifest(Path(folder), read_manifest(Path(folder)))


def from_manifest(folder: Path, manifest: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that ``manifest`` describes, from the files in ``folder``."""
    name = EXPORTED if manifest["kind"] == "wordpiece" else NATIVE
    try:
        model = (folder / name).read_bytes()
    except OSError as error:
        raise AssetError("the tokenizer lacks a file", where=str(folder / name), hint="train it again") from error
    digest = hashlib.sha256(model).hexdigest()
    if digest != manifest["digest"]:
        raise AssetError("the tokenizer's file is not the one that its manifest names", where=str(folder / name), hint="train it again")
    return (WordPiece if manifest["kind"] == "wordpiece" else SentencePiece)(manifest["kind"], digest, model)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the tokenizer was made from. Raises AssetError where it is no tokenizer folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise AssetError("this is no tokenizer folder", where=str(folder), hint="make one with `gristmill train-tokenizer`") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or not {"kind", "digest"} <= manifest.keys():
        raise AssetError("this is no tokenizer folder", where=str(folder), hint=f"its manifest.json is not of format {FORMAT!r}")
    return manifest


def _encodable(text: str) -> str:
    """Lone surrogates have no UTF-8; they become U+FFFD, as in a decoder."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

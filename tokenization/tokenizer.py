"""A tokenizer folder: its manifest, its native model, and text to ids and back.

Four kinds of ours, one vocabulary layout: ids 0 to 3 are <unk>, <s>, </s>, <pad>, then what was reserved; every byte has a token of its
own, so that no text is unknown. None of the special ones is ever made from text, whatever the text says. ``bpe`` and ``unigram`` are
sentencepiece models, which write a space as U+2581: a U+2581 of the text itself comes back as a space. All else comes back as it was,
unless NFC was asked for.

A tokenizer that somebody else made (``tokenization.foreign``) works in every place that ours do, with the ids that it has.

    tokenizer = load("build/demo/tokenizer")
    ids = tokenizer.encode("The mill grinds.")      # int32, shape (tokens,)
    tokenizer.decode(ids)
    tokenizer.special.eos                           # 2
"""

import abc
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2

from corpus.errors import AssetError
from corpus.storage import json_bytes, locate
from tokenization.foreign import EXPORT_CONFIG, EXPORTED, FORMAT, HUGGINGFACE, MANIFEST, NATIVE, SENTENCEPIECE, describe, digest

__all__ = ["EXPORTED", "EXPORT_CONFIG", "FORMAT", "MANIFEST", "NATIVE"]  # names of files, which the readers of folders take from here
FERTILITY = "fertility.json"
BYTES = "bytes"
KINDS = ("bpe", "unigram", "wordpiece", BYTES)
SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
UNKNOWN, BOS, EOS, PAD = range(4)
NFC = "nfc"  # the name that a sentencepiece model of ours bears where texts are composed before they are cut
CONTINUATION = "\N{RIGHTWARDS ARROW WITH HOOK}"  # WordPiece's, not "##": a text's own # could not be told from it; no byte is written so
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_BYTE = re.compile("<0x[0-9A-F]{2}>")
_PART = 2000  # characters: what `tokenizers` makes of them on the way to ids stays in the core's cache; whole pages take 1.18 times as long
_LINE_END = re.compile(r"\n(?=\w)")


@final
@dataclass(frozen=True, kw_only=True)
class SpecialIds:
    """Ids that stand for no text. ``unknown``: None where every text has ids. ``bos`` and ``eos`` may be one."""

    bos: int = BOS
    eos: int = EOS
    pad: int = PAD
    unknown: int | None = UNKNOWN

    @property
    def never_made(self) -> list[int]:
        """Those that no model is to write: all but the end."""
        return sorted({each for each in (self.unknown, self.bos, self.pad) if each is not None} - {self.eos})


class Tokenizer(abc.ABC):
    """Text to ids and back. ``digest`` names it: the SHA-256 of its native model (of another's, with its special ids)."""

    kind: str
    digest: str
    special: SpecialIds

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
        """Which ids stand for a single byte, and it no character: bool, shape (vocabulary,)."""

    @abc.abstractmethod
    def pieces(self) -> list[str]:
        """What each id is called in the model; "" for an id that has no name."""

    def document(self, text: str) -> np.ndarray:
        """Ids of a whole document, from its beginning to its end: int32."""
        return np.concatenate([[self.special.bos], self.encode(text), [self.special.eos]]).astype(np.int32)

    def facts(self) -> dict[str, Any]:
        """What the manifests of tokens say of it."""
        return {"kind": self.kind, "digest": self.digest, "vocabulary": self.vocabulary, "special": asdict(self.special)}

    @abc.abstractmethod
    def byte_lengths(self) -> np.ndarray:
        """How many bytes of UTF-8 each id stands for, 0 for the special ones: int64, shape (vocabulary,)."""


@final
@dataclass(frozen=True)
class SentencePiece(Tokenizer):
    """BPE or Unigram, by sentencepiece; ours, or another's."""

    kind: str
    digest: str
    model: bytes
    special: SpecialIds = SpecialIds()

    @cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    @cached_property
    def _composed(self) -> bool:
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(self.model)
        return bool(proto.normalizer_spec.name == NFC)

    @cached_property
    def _spoken(self) -> np.ndarray:
        """Which ids are pieces of text: bool, shape (vocabulary,)."""
        silent = self._processor.is_control, self._processor.is_unknown
        return np.array([not any(of(each) for of in silent) for each in range(self.vocabulary)])

    @property
    def vocabulary(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> np.ndarray:
        text = _encodable(text)
        if self.kind == SENTENCEPIECE:
            return np.array(self._processor.encode(text), np.int32)
        if self._composed:
            text = _COMPOSED.normalize_str(text)
        # Line by line, which is the same: no piece holds a newline. Scores are float32 sums, exact for a line, not for a book.
        lines = self._processor.encode(_LINES.findall(text), num_threads=1, return_type="numpy")
        return np.concatenate(lines) if lines else np.empty(0, np.int32)

    def decode(self, ids: np.ndarray) -> str:
        ids = np.asarray(ids)
        return self._processor.decode(ids[self._spoken[ids]].tolist() if len(ids) else [])

    def is_byte(self) -> np.ndarray:
        return np.array([self._processor.is_byte(each) for each in range(self.vocabulary)])

    def pieces(self) -> list[str]:
        return [self._processor.id_to_piece(each) for each in range(self.vocabulary)]

    def byte_lengths(self) -> np.ndarray:
        lengths = np.array([len(piece.replace("\u2581", " ").encode()) for piece in self.pieces()], np.int64)
        lengths[self.is_byte()] = 1
        lengths[~self._spoken] = 0
        return lengths


@final
@dataclass(frozen=True)
class HuggingFace(Tokenizer):
    """A `tokenizer.json`: WordPiece or BPE over bytes of ours, or whatever another's does."""

    kind: str
    digest: str
    model: bytes
    special: SpecialIds = SpecialIds()

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        made = tokenizers.Tokenizer.from_buffer(self.model)
        made.encode_special_tokens = True
        made.no_truncation()
        made.no_padding()
        return made

    @cached_property
    def vocabulary(self) -> int:  # type: ignore[override]
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def encode(self, text: str) -> np.ndarray:
        text = _encodable(text)
        # a batch, even of one: the call for one text counts characters for offsets that nobody asked for
        found = self._tokenizer.encode_batch_fast(_parts(text) if self.kind == BYTES else [text], add_special_tokens=False)
        return np.concatenate([np.array(each.ids, np.int32) for each in found])

    def decode(self, ids: np.ndarray) -> str:
        return self._tokenizer.decode(np.asarray(ids).tolist(), skip_special_tokens=True)

    def is_byte(self) -> np.ndarray:
        if not self._over_bytes:
            return np.array([bool(_BYTE.fullmatch(piece)) for piece in self.pieces()])
        ascii_letters = {letter for letter in tokenizers.pre_tokenizers.ByteLevel.alphabet() if letter.isascii()}
        letters = {*tokenizers.pre_tokenizers.ByteLevel.alphabet()} - ascii_letters - _WHOLE
        return np.array([piece.removeprefix(CONTINUATION) in letters for piece in self.pieces()])

    def pieces(self) -> list[str]:
        names = dict.fromkeys(range(self.vocabulary), "") | {
            number: piece for piece, number in self._tokenizer.get_vocab(with_added_tokens=True).items()
        }
        return [names[number] for number in range(self.vocabulary)]

    def byte_lengths(self) -> np.ndarray:
        pieces = [piece.removeprefix(CONTINUATION) for piece in self.pieces()]
        if self._over_bytes:  # a letter is a byte
            lengths = np.array([len(piece) for piece in pieces], np.int64)
        else:
            lengths = np.array([len(piece.replace("\u2581", " ").encode()) for piece in pieces], np.int64)
            lengths[self.is_byte()] = 1
        lengths[[number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special]] = 0
        return lengths

    @property
    def _over_bytes(self) -> bool:
        return "ByteLevel" in json.dumps(json.loads(self.model)["decoder"])


_COMPOSED = tokenizers.normalizers.NFC()
# how GPT-2's alphabet writes the ASCII that is not printed: byte b, if it is the n-th of those, as U+0100 + n
_WHOLE = {chr(0x100 + number) for number in range(34)}


def load(path: str | Path) -> Tokenizer:
    """The tokenizer of a folder, or another's (``tokenization.foreign``). Raises AssetError where there is none, or its files are not
    those that its manifest names."""
    path = Path(path)
    if (path / MANIFEST).exists():
        return carried(path)
    found = describe(path)
    return _made(found.manifest, found.files[_model_file(found.manifest["kind"])])


def carried(folder: Path) -> Tokenizer:
    """The tokenizer that tokens or a model carry: a folder with a manifest, or AssetError."""
    return from_manifest(folder, read_manifest(folder))


def from_manifest(folder: Path, manifest: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that ``manifest`` describes, from the files in ``folder``."""
    file = folder / _model_file(manifest["kind"])
    try:
        model = file.read_bytes()
    except OSError as error:
        raise AssetError("the tokenizer lacks a file", where=str(file), hint="train it again") from error
    if digest(model, manifest) != manifest["digest"]:
        raise AssetError("the tokenizer's file is not the one that its manifest names", where=str(file), hint="train it again")
    return _made(manifest, model)


def copy(path: str | Path, folder: Path) -> None:
    """The tokenizer as a folder of ours, its manifest last: what tokens and models carry with them."""
    path = Path(path)
    if (path / MANIFEST).exists():
        shutil.copytree(path, folder, dirs_exist_ok=True)
        return
    found = describe(path)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in found.files.items():
        (folder / name).write_bytes(content)
    (locate(str(folder)) / MANIFEST).write_bytes(json_bytes(found.manifest))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the tokenizer was made from. Raises AssetError where it is no tokenizer folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise AssetError("this is no tokenizer folder", where=str(folder), hint="make one with `gristmill train-tokenizer`") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or not {"kind", "digest"} <= manifest.keys():
        raise AssetError("this is no tokenizer folder", where=str(folder), hint=f"its manifest.json is not of format {FORMAT!r}")
    return manifest


def _model_file(kind: str) -> str:
    return EXPORTED if kind in ("wordpiece", BYTES, HUGGINGFACE) else NATIVE


def _made(manifest: Mapping[str, Any], model: bytes) -> Tokenizer:
    special = SpecialIds(**manifest["special"]) if isinstance(manifest.get("special"), dict) else SpecialIds()
    made = HuggingFace if _model_file(manifest["kind"]) == EXPORTED else SentencePiece
    return made(manifest["kind"], manifest["digest"], model, special)


def _parts(text: str) -> list[str]:
    """The text cut where the words of BPE over bytes end in any case (``huggingface._WORDS``): between a newline and a letter or digit."""
    parts, start = [], 0
    while found := _LINE_END.search(text, start + _PART):
        parts.append(text[start : found.end()])
        start = found.end()
    return [*parts, text[start:]]


def _encodable(text: str) -> str:
    """Lone surrogates have no UTF-8; they become U+FFFD, as in a decoder."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

"""Train a tokenizer on a sample of a corpus: sentencepiece for BPE and Unigram, tokenizers for WordPiece.

The sample is the beginning of the corpus: documents lie in the order of a hash of their id, so that the first of them are a random
draw, the same on every machine. Only those of the training split are taken, up to a cap in bytes.

    train_tokenizer("build/demo/corpus", Path("build/demo/tokenizer"), kind="bpe", vocabulary=4096)
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import sentencepiece
import xxhash
from sentencepiece import sentencepiece_model_pb2
from tokenizers import pre_tokenizers, trainers

from corpus import manifest
from corpus.errors import InputError, OutputError, ResumeError
from corpus.splits import TRAIN
from corpus.storage import Place, json_bytes, locate
from tokenization import huggingface
from tokenization.documents import documents_of
from tokenization.fertility import fertility
from tokenization.tokenizer import (
    CONTINUATION,
    EXPORT_CONFIG,
    EXPORTED,
    FERTILITY,
    FORMAT,
    KINDS,
    MANIFEST,
    NATIVE,
    SPECIAL,
    from_manifest,
    read_manifest,
)

SAMPLE_BYTES = 100_000_000  # sentencepiece's Unigram took 70 GB for 10 M sentences; 100 MB of text take 2 to 4
_HELD_OUT_BYTES = 5_000_000  # that the fertility is measured on
_LINE_CHARACTERS = 1000  # sentencepiece drops sentences beyond max_sentence_length; 1,000 characters are at most 4,000 bytes
_SENTENCEPIECE: dict[str, Any] = {
    "byte_fallback": True,
    "split_digits": True,
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
    "character_coverage": 0.9995,
    "required_chars": "<>/0123456789ABCDEFxsunkpad",  # those of <0x0A> and <pad>: see huggingface._unigram
    "max_sentence_length": 4 * _LINE_CHARACTERS + 8,
    "shuffle_input_sentence": False,
    "num_threads": 16,  # Unigram's sums depend on their number, so it is not the machine's
    "unk_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": 3,
}


@final
@dataclass(frozen=True)
class Trained:
    """A finished tokenizer folder: its manifest and its fertility table, and whether it was there already."""

    folder: Path
    manifest: dict[str, Any]
    fertility: list[dict[str, Any]]
    resumed: bool


def train_tokenizer(
    corpus: str, output: Path, *, kind: str, vocabulary: int, sample_bytes: int = SAMPLE_BYTES, overwrite: bool = False
) -> Trained:
    """Train, export, measure, and write the folder, its manifest last.

    ``vocabulary``: ids in all, the 4 special tokens and 256 bytes among them. Raises InputError where the corpus is none, or holds too
    little text for that many; OutputError where another tokenizer lies in ``output``.
    """
    assert kind in KINDS, kind
    place = locate(corpus)
    manifest.read(place)
    settings = {
        "kind": kind,
        "vocabulary": vocabulary,
        "sample_bytes": sample_bytes,
        "corpus": hashlib.sha256((place / manifest.NAME).read_bytes()).hexdigest(),
    }
    if (output / MANIFEST).exists() and not overwrite:
        return _already(output, settings)
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise OutputError("the output folder holds something else", where=str(output), hint="choose an empty folder, or give --overwrite")
    sample = Sample(place, sample_bytes)
    native = _wordpiece(sample, vocabulary) if kind == "wordpiece" else _sentencepiece(sample, kind, vocabulary)
    output.mkdir(parents=True, exist_ok=True)
    (output / MANIFEST).unlink(missing_ok=True)
    exported = native if kind == "wordpiece" else huggingface.from_sentencepiece(native)
    files = {EXPORTED: exported, EXPORT_CONFIG: json_bytes(huggingface.config())} | ({} if kind == "wordpiece" else {NATIVE: native})
    for name, content in files.items():
        (locate(str(output)) / name).write_bytes(content)
    made = {
        "format": FORMAT,
        **settings,
        "special": list(SPECIAL),
        "sample": sample.facts(),
        "digest": hashlib.sha256(native).hexdigest(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    # Read again as a user would: what is measured is what was written. The manifest goes last all the same.
    tokenizer = from_manifest(output, made)
    table = fertility(tokenizer, held_out(place))
    (locate(str(output)) / FERTILITY).write_bytes(json_bytes(table))
    (locate(str(output)) / MANIFEST).write_bytes(json_bytes(made))
    return Trained(output, made, table, resumed=False)


@final
@dataclass(frozen=True)
class Sample:
    """The first documents of the training split, until ``cap_bytes`` of UTF-8 are reached: lines to train on, and what they were."""

    corpus: Place
    cap_bytes: int

    def texts(self) -> Iterator[str]:
        held = 0
        for split, _, text in texts_in_order(self.corpus):
            if split == TRAIN:
                if held >= self.cap_bytes:
                    return
                held += len(text.encode())
                yield text

    def lines(self) -> Iterator[str]:
        """Lines that are not empty, cut to 1,000 characters."""
        for text in self.texts():
            for line in text.split("\n"):
                for at in range(0, len(line), _LINE_CHARACTERS):
                    yield line[at : at + _LINE_CHARACTERS].replace("\0", " ")  # sentencepiece ends a string at NUL

    def facts(self) -> dict[str, Any]:
        digest, documents, held = xxhash.xxh3_128(), 0, 0
        for text in self.texts():
            encoded = text.encode()
            digest.update(b"%d:%s" % (len(encoded), encoded))
            documents, held = documents + 1, held + len(encoded)
        return {"documents": documents, "bytes": held, "xxh3_128": digest.hexdigest()}


def texts_in_order(corpus: Place) -> Iterator[tuple[str, str | None, str]]:
    """(split, language, text) of the documents in hash order; a corpus that was not split is all training."""
    for shard in manifest.read(corpus)["shards"]["documents"]:
        with documents_of(corpus / "documents" / shard["file"]) as file:
            for batch in file.iter_batches(batch_size=1024, columns=["split", "language", "text"]):
                for row in batch.to_pylist():
                    yield row["split"] or TRAIN, row["language"], row["text"]


def held_out(corpus: Place) -> Iterator[tuple[str | None, str]]:
    """(language, text) of validation and test documents, up to 5 MB: text that the tokenizer did not learn from."""
    held = 0
    for split, language, text in texts_in_order(corpus):
        if split != TRAIN and held < _HELD_OUT_BYTES:
            held += len(text.encode())
            yield language, text


def _already(output: Path, settings: Mapping[str, Any]) -> Trained:
    there = read_manifest(output)
    changed = [name for name, value in settings.items() if there.get(name) != value]
    if changed:
        raise ResumeError(f"another tokenizer lies there; changed: {', '.join(changed)}", where=str(output), hint="--overwrite replaces it")
    try:
        return Trained(output, there, json.loads((output / FERTILITY).read_bytes()), resumed=True)
    except (OSError, ValueError) as error:
        raise OutputError("the tokenizer there is not whole", where=str(output / FERTILITY), hint="--overwrite replaces it") from error


def _sentencepiece(sample: Sample, kind: str, vocabulary: int) -> bytes:
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sample.lines(), model_writer=written, model_type=kind, vocab_size=vocabulary, minloglevel=2, **_SENTENCEPIECE
        )
    except (RuntimeError, OSError) as error:  # "Vocabulary size too high (5000). Please set it to a value <= 812."
        raise InputError("sentencepiece could not train", where=sample.corpus.uri, hint=_last_sentence(str(error))) from error
    if kind == "bpe":
        return written.getvalue()
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(written.getvalue())
    for piece in proto.pieces:
        piece.score = round(piece.score / huggingface.SCORE_STEP) * huggingface.SCORE_STEP
    return proto.SerializeToString(deterministic=True)


def _last_sentence(message: str) -> str:
    """What sentencepiece has to say behind its file names and conditions."""
    return message.rpartition("]")[2].strip() or message


def _wordpiece(sample: Sample, vocabulary: int) -> bytes:
    """Learned by tokenizers over 512 letters: each byte at the beginning of a word, and each within one.

    The trainer numbers the letters within words as it meets them in a hash table, and breaks ties by those numbers: two runs would
    differ. Given as special tokens they have their numbers before it begins, and no byte is unknown.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = [*alphabet, *(CONTINUATION + letter for letter in alphabet)]
    if vocabulary < len(SPECIAL) + len(letters):
        raise InputError("the vocabulary is too small for WordPiece over bytes", where=str(vocabulary), hint="take 516 or more")
    made = huggingface.empty_wordpiece({})
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=[*SPECIAL, *letters],
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    made.train_from_iterator(sample.lines(), trainer)
    return huggingface.finished(huggingface.empty_wordpiece(made.get_vocab()))

"""Train a tokenizer on a sample of a corpus: sentencepiece for BPE and Unigram, tokenizers for WordPiece and BPE over bytes.

The result depends on the sample alone (``tokenization.sample``), not on the number of threads; BPE over bytes not even on its order.

    train_tokenizer("build/demo/corpus", Path("build/demo/tokenizer"), kind="bytes", vocabulary=4096)
"""

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import normalizers, pre_tokenizers, trainers

from corpus import manifest
from corpus.errors import InputError, OutputError, ResumeError
from corpus.storage import json_bytes, locate
from tokenization import huggingface
from tokenization.fertility import fertility
from tokenization.objectives import MIDDLE, PREFIX, SUFFIX
from tokenization.sample import MAX_SENTENCE_LENGTH, SAMPLE_BYTES, Sample, held_out
from tokenization.tokenizer import (
    CONTINUATION,
    EXPORT_CONFIG,
    EXPORTED,
    FERTILITY,
    FORMAT,
    KINDS,
    MANIFEST,
    NATIVE,
    NFC,
    SPECIAL,
    from_manifest,
    read_manifest,
)

RESERVED = ("<|im_start|>", "<|im_end|>", PREFIX, SUFFIX, MIDDLE)  # ChatML's and those of filling in; then <|extra_0|>, <|extra_1|>, …
_MOST_BYTES = 48  # of a token over bytes: 16 characters of three bytes each, as sentencepiece's longest; else sentences of Chinese are some
_FEW = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")
_FEWEST = {"bytes": len(SPECIAL) + 256, "wordpiece": len(SPECIAL) + 512}  # kinds of `tokenizers`, and how many ids they begin with
_SENTENCEPIECE: dict[str, Any] = {
    "byte_fallback": True,
    "split_digits": True,
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
    "character_coverage": 0.9995,
    "required_chars": "<>/0123456789ABCDEFxsunkpad",  # those of <0x0A> and <pad>: see huggingface._unigram
    "max_sentence_length": MAX_SENTENCE_LENGTH,
    "shuffle_input_sentence": False,
    "num_threads": 16,  # Unigram's sums depend on their number, so it is not the machine's
    "unk_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": 3,
}


@final
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """``vocabulary``: ids in all, the 4 special tokens, those reserved and 256 bytes among them. ``digits``: ``single``, each a token; or
    ``three`` at most in one, from the left (kind ``bytes`` alone). ``nfc``: compose characters first, or change nothing. ``reserve``: so
    many special tokens (:data:`RESERVED`) for what comes after pretraining. ``language_weights``: see ``tokenization.sample.Sample``."""

    kind: str
    vocabulary: int
    sample_bytes: int = SAMPLE_BYTES
    digits: str = "single"
    nfc: bool = False
    reserve: int = 0
    language_weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind
        assert self.digits in huggingface.DIGITS, self.digits
        if self.digits != "single" and self.kind != "bytes":
            raise InputError(f"{self.kind} has its digits one by one", where=f"--digits {self.digits}", hint="take --kind bytes")
        if any(weight < 0 for weight in self.language_weights.values()):
            raise InputError("a weight is 0 or more", where="--language-weight", hint="0 leaves a language out")
        if self.kind in _FEWEST and self.vocabulary < _FEWEST[self.kind] + self.reserve:
            hint = f"take {_FEWEST[self.kind] + self.reserve} or more"
            raise InputError(f"the vocabulary is too small for {self.kind} over bytes", where=f"{self.vocabulary:,} ids", hint=hint)

    @property
    def reserved(self) -> list[str]:
        return [*RESERVED, *(f"<|extra_{number}|>" for number in range(self.reserve - len(RESERVED)))][: self.reserve]

    def settings(self) -> dict[str, Any]:
        named = {"kind": self.kind, "vocabulary": self.vocabulary, "sample_bytes": self.sample_bytes, "digits": self.digits}
        return {**named, "nfc": self.nfc, "reserved": self.reserved, "language_weights": dict(sorted(self.language_weights.items()))}


@final
@dataclass(frozen=True)
class Trained:
    """A finished tokenizer folder: its manifest and its fertility table, and whether it was there already."""

    folder: Path
    manifest: dict[str, Any]
    fertility: list[dict[str, Any]]
    resumed: bool


def train_tokenizer(corpus: str, output: Path, *, overwrite: bool = False, **wanted: Any) -> Trained:
    """Train, export, measure, and write the folder, its manifest last. ``wanted``: the fields of :class:`Wanted`.

    Raises InputError where the corpus is none, or holds too little text for that many ids; OutputError where something else lies in
    ``output``, ResumeError where it is another tokenizer.
    """
    asked = Wanted(**wanted)
    place = locate(corpus)
    manifest.read(place)
    settings = {**asked.settings(), "corpus": hashlib.sha256((place / manifest.NAME).read_bytes()).hexdigest()}
    if (output / MANIFEST).exists() and not overwrite:
        return _already(output, settings)
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise OutputError("the output folder holds something else", where=str(output), hint="choose an empty folder, or give --overwrite")
    sample = Sample(place, asked.sample_bytes, asked.language_weights)
    facts = sample.facts()
    native = {"wordpiece": _wordpiece, "bytes": _bytes}.get(asked.kind, _sentencepiece)(sample, asked)
    output.mkdir(parents=True, exist_ok=True)
    (output / MANIFEST).unlink(missing_ok=True)
    files = {EXPORT_CONFIG: json_bytes(huggingface.config())}
    files |= {EXPORTED: native} if asked.kind in _FEWEST else {EXPORTED: huggingface.from_sentencepiece(native), NATIVE: native}
    for name, content in files.items():
        (locate(str(output)) / name).write_bytes(content)
    made = {
        "format": FORMAT,
        **settings,
        "special": list(SPECIAL),
        "sample": facts,
        "digest": hashlib.sha256(native).hexdigest(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    # Read again as a user would: what is measured is what was written. The manifest goes last all the same.
    tokenizer = from_manifest(output, made)
    table = fertility(tokenizer, ((each.language, each.text) for each in held_out(place)))
    (locate(str(output)) / FERTILITY).write_bytes(json_bytes(table))
    (locate(str(output)) / MANIFEST).write_bytes(json_bytes(made))
    return Trained(output, made, table, resumed=False)


def trained_sizes(corpus: str, output: Path, *, kind: str, sizes: Sequence[int]) -> list[Path]:
    """A tokenizer for each number of ids, in ``output/KIND-SIZE``; those that are there already are not trained again."""
    folders = {size: output / f"{kind}-{size}" for size in dict.fromkeys(sizes)}
    return [train_tokenizer(corpus, folder, kind=kind, vocabulary=size).folder for size, folder in folders.items()]


def _already(output: Path, settings: Mapping[str, Any]) -> Trained:
    there = read_manifest(output)
    changed = [name for name, value in settings.items() if there.get(name) != value]
    if changed:
        raise ResumeError(f"another tokenizer lies there; changed: {', '.join(changed)}", where=str(output), hint="--overwrite replaces it")
    try:
        return Trained(output, there, json.loads((output / FERTILITY).read_bytes()), resumed=True)
    except (OSError, ValueError) as error:
        raise OutputError("the tokenizer there is not whole", where=str(output / FERTILITY), hint="--overwrite replaces it") from error


def _sentencepiece(sample: Sample, asked: Wanted) -> bytes:
    written = io.BytesIO()
    lines = map(normalizers.NFC().normalize_str, sample.lines()) if asked.nfc else sample.lines()
    reserved = {}
    if asked.reserve:
        letters = sorted({*_SENTENCEPIECE["required_chars"], *"".join(asked.reserved)})
        reserved = {"control_symbols": asked.reserved, "required_chars": "".join(letters)}
    settings = {**_SENTENCEPIECE, **reserved, "model_type": asked.kind, "vocab_size": asked.vocabulary}
    try:
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=written, minloglevel=2, **settings)
    except (RuntimeError, OSError) as error:  # "Vocabulary size too high (5000). Please set it to a value <= 812."
        few = _FEW.search(str(error))  # its own advice names an option that is not ours
        hint = f"characters, bytes and special tokens alone are {few[1]}: a larger --vocab-size" if few else _last_sentence(str(error))
        raise InputError("sentencepiece could not train", where=sample.corpus.uri, hint=hint) from error
    if asked.kind == "bpe" and not asked.nfc:
        return written.getvalue()
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(written.getvalue())
    if asked.nfc:
        proto.normalizer_spec.name = NFC
    if asked.kind == "unigram":
        for piece in proto.pieces:
            piece.score = round(piece.score / huggingface.SCORE_STEP) * huggingface.SCORE_STEP
    return proto.SerializeToString(deterministic=True)


def _last_sentence(message: str) -> str:
    """What sentencepiece has to say behind its file names and conditions."""
    return message.rpartition("]")[2].strip() or message


def _bytes(sample: Sample, asked: Wanted) -> bytes:
    """Whole texts, for what is between lines is learned too. Ties are broken by ids, and these follow the alphabet."""
    made = huggingface.empty_bytes(asked.digits, nfc=asked.nfc)
    trainer = trainers.BpeTrainer(
        vocab_size=asked.vocabulary,
        special_tokens=[*SPECIAL, *asked.reserved],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=_MOST_BYTES,
        show_progress=False,
    )
    made.train_from_iterator(sample.texts(), trainer)
    return _exported(made, sample, asked)


def _wordpiece(sample: Sample, asked: Wanted) -> bytes:
    """Learned by tokenizers over 512 letters: each byte at the beginning of a word, and each within one.

    The trainer numbers the letters within words as it meets them in a hash table, and breaks ties by those numbers: two runs would
    differ. Given as special tokens they have their numbers before it begins, and no byte is unknown.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = [*alphabet, *(CONTINUATION + letter for letter in alphabet)]
    made = huggingface.empty_wordpiece({}, nfc=asked.nfc)
    trainer = trainers.WordPieceTrainer(
        vocab_size=asked.vocabulary,
        special_tokens=[*SPECIAL, *asked.reserved, *letters],
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    made.train_from_iterator(sample.lines(), trainer)
    learned = made.get_vocab()
    made = huggingface.empty_wordpiece(learned, nfc=asked.nfc)
    return _exported(made, sample, asked)


def _exported(made: tokenizers.Tokenizer, sample: Sample, asked: Wanted) -> bytes:
    found = made.get_vocab_size(with_added_tokens=False)
    if found < asked.vocabulary:
        hint = f"{found:,} are all it has: set --vocab-size to as many"
        raise InputError("the text is too little for that many ids", where=sample.corpus.uri, hint=hint)
    return huggingface.finished(made, asked.reserved)

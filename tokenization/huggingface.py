"""`tokenizer.json`: the same tokenizer in the form that `tokenizers` and `transformers` load, with the same ids for any text.

The two engines agree because nothing is left to taste: no normaliser but space -> U+2581, no pre-tokeniser, ties broken alike (the
earlier and longer piece first), and Unigram's scores are multiples of 1/64, whose sums are exact in sentencepiece's float32 as in
tokenizers' float64.

    Path("tokenizer.json").write_bytes(from_sentencepiece(model))
"""

from collections.abc import Sequence

from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tokenization.tokenizer import BOS, CONTINUATION, EOS, NFC, PAD, SPECIAL, UNKNOWN

SCORE_STEP = 1 / 64
_WORD_CHARACTERS = 64  # longer words are cut: WordPiece's search is quadratic, and beyond 100 it gives up
_NORMAL = sentencepiece_model_pb2.ModelProto.SentencePiece.NORMAL
_CONTROL = sentencepiece_model_pb2.ModelProto.SentencePiece.CONTROL
# A word ends between a newline and a letter or digit in any case: `tokenizer._parts` cuts there.
# GPT-4's (tiktoken's cl100k_base), but for marks, which it cuts from the letters that they stand on: of a word of Hindi it makes many
_WORDS = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+|\p{N}DIGITS| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DIGITS = {"single": "{1}", "three": "{1,3}"}


def from_sentencepiece(model: bytes) -> bytes:
    """A BPE or Unigram model of sentencepiece -> tokenizer.json."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    unigram = proto.trainer_spec.model_type == sentencepiece_model_pb2.TrainerSpec.UNIGRAM
    made = Tokenizer(_unigram(proto) if unigram else _bpe(proto))
    spaces = normalizers.Replace(" ", "\u2581")
    made.normalizer = normalizers.Sequence([normalizers.NFC(), spaces]) if proto.normalizer_spec.name == NFC else spaces
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    reserved = [piece.piece for piece in proto.pieces if piece.type == _CONTROL and piece.piece not in SPECIAL]
    return finished(made, reserved)


def finished(made: Tokenizer, reserved: Sequence[str]) -> bytes:
    """The special tokens declared, and <s> put before each text."""
    made.add_special_tokens([*SPECIAL, *reserved])
    made.post_processor = processors.TemplateProcessing(single=f"{SPECIAL[BOS]} $A", special_tokens=[(SPECIAL[BOS], BOS)])
    return made.to_str(pretty=False).encode()


def config() -> dict[str, object]:
    """`tokenizer_config.json`. Text that spells a special token stays text (``split_special_tokens``)."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": SPECIAL[UNKNOWN],
        "bos_token": SPECIAL[BOS],
        "eos_token": SPECIAL[EOS],
        "pad_token": SPECIAL[PAD],
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }


def empty_bytes(digits: str, *, nfc: bool) -> Tokenizer:
    """BPE over the 256 letters that stand for bytes, within words as GPT-4 cuts them. ``digits``: of :data:`DIGITS`."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC() if nfc else None
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS.replace("DIGITS", DIGITS[digits])), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def empty_wordpiece(vocabulary: dict[str, int], *, nfc: bool) -> Tokenizer:
    """WordPiece over the 256 letters that stand for bytes; digits one by one."""
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=SPECIAL[UNKNOWN], continuing_subword_prefix=CONTINUATION))
    made.normalizer = normalizers.NFC() if nfc else None
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
            pre_tokenizers.FixedLength(length=_WORD_CHARACTERS),
        ]
    )
    made.decoder = decoders.Sequence([decoders.Replace(CONTINUATION, ""), decoders.ByteLevel()])
    return made


def _bpe(proto: sentencepiece_model_pb2.ModelProto) -> models.BPE:
    """sentencepiece merges any neighbours whose union is a piece, best score first: so every way to cut a piece in two is a merge."""
    vocabulary = {piece.piece: number for number, piece in enumerate(proto.pieces)}
    normal = {piece.piece for piece in proto.pieces if piece.type == _NORMAL}
    merges = [
        (-piece.score, piece.piece[:cut], piece.piece[cut:])
        for piece in proto.pieces
        if piece.type == _NORMAL
        for cut in range(1, len(piece.piece))
        if piece.piece[:cut] in normal and piece.piece[cut:] in normal
    ]
    merges.sort(key=lambda merge: merge[0])
    return models.BPE(vocabulary, [merge[1:] for merge in merges], unk_token=SPECIAL[UNKNOWN], byte_fallback=True)


def _unigram(proto: sentencepiece_model_pb2.ModelProto) -> models.Unigram:
    """Here tokens that no text may spell (<s>, <0x0A>) are candidates like others: they get a score that always loses."""
    lowest = min(piece.score for piece in proto.pieces if piece.type == _NORMAL)
    hopeless = 100 * lowest - 100
    scores = [(piece.piece, piece.score if piece.type == _NORMAL else hopeless) for piece in proto.pieces]
    return models.Unigram(scores, unk_id=UNKNOWN, byte_fallback=True)

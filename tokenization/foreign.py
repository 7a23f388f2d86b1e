"""A tokenizer that somebody else made, as a tokenizer of ours: a Hugging Face `tokenizer.json`, or a model of sentencepiece.

It stays as it is; what is added is a manifest, which names the ids that begin, end and fill texts. These are looked for in
`tokenizer_config.json` and `special_tokens_map.json` beside it (bos_token, else cls_token; eos_token, else sep_token; pad_token;
unk_token), then among the special tokens by the names that models use. Where only one of beginning and end exists it stands for both, as
GPT-2's <|endoftext|> does; where there is no token for filling, the end stands for it, for filled places are never scored.

    found = describe(Path("Llama-3.2-1B/tokenizer.json"))
    found.manifest["special"]              # {"bos": 128000, "eos": 128001, "pad": 128001, "unknown": None}
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import sentencepiece
import tokenizers

from corpus.errors import AssetError

FORMAT = "gristmill tokenizer 1"
MANIFEST, NATIVE, EXPORTED, EXPORT_CONFIG, SPECIAL_MAP = (
    "manifest.json",
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
HUGGINGFACE, SENTENCEPIECE = "huggingface", "sentencepiece"
_ROLES = {
    "bos": (("bos_token", "cls_token"), ("<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "[BOS]", "[CLS]")),
    "eos": (("eos_token", "sep_token"), ("</s>", "<|end_of_text|>", "<|endoftext|>", "<eos>", "<|end|>", "[EOS]", "[SEP]")),
    "pad": (("pad_token",), ("<pad>", "<|pad|>", "<|padding|>", "<|finetune_right_pad_id|>", "[PAD]")),
    "unknown": (("unk_token",), ("<unk>", "[UNK]")),
}
_HINT = 'name one in tokenizer_config.json beside it: {"eos_token": "<|endoftext|>"}'


@final
@dataclass(frozen=True)
class Described:
    """A manifest as our own tokenizers have it, and the content of the files that belong into the folder."""

    manifest: dict[str, Any]
    files: Mapping[str, bytes]


def describe(path: Path) -> Described:
    """The tokenizer at ``path``: a folder, a tokenizer.json, or a sentencepiece .model. Of a folder with both the tokenizer.json counts.

    Raises AssetError where there is none, it cannot be read, or no token of it can stand between two texts.
    """
    file = path if path.is_file() else next((path / name for name in (EXPORTED, NATIVE) if (path / name).is_file()), None)
    if file is None:
        hint = "name a folder of `gristmill train-tokenizer`, or a tokenizer.json or .model of your own"
        raise AssetError("this is no tokenizer folder" if path.is_dir() else "there is no tokenizer", where=str(path), hint=hint)
    model = file.read_bytes()
    if file.suffix == ".model":
        kind, name, special, vocabulary = SENTENCEPIECE, NATIVE, *_of_sentencepiece(model, file)
        beside = {}
    else:
        kind, name = HUGGINGFACE, EXPORTED
        beside = {each: (file.parent / each).read_bytes() for each in (EXPORT_CONFIG, SPECIAL_MAP) if (file.parent / each).is_file()}
        special, vocabulary = _of_huggingface(model, file, beside)
    files = {name: model, **beside}
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "vocabulary": vocabulary,
        "special": _filled(special, file),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    return Described(manifest | {"digest": digest(model, manifest)}, files)


def digest(model: bytes, manifest: Mapping[str, Any]) -> str:
    """What names a tokenizer: the SHA-256 of its model, and of the special ids where these are not in the model."""
    if manifest["kind"] not in (HUGGINGFACE, SENTENCEPIECE):
        return hashlib.sha256(model).hexdigest()
    return hashlib.sha256(model + json.dumps(manifest["special"], sort_keys=True).encode()).hexdigest()


def _of_sentencepiece(model: bytes, file: Path) -> tuple[dict[str, int | None], int]:
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise AssetError("this is no model of sentencepiece", where=str(file)) from error
    found = {"bos": processor.bos_id(), "eos": processor.eos_id(), "pad": processor.pad_id(), "unknown": processor.unk_id()}
    return {role: each if each >= 0 else None for role, each in found.items()}, processor.vocab_size()


def _of_huggingface(model: bytes, file: Path, beside: Mapping[str, bytes]) -> tuple[dict[str, int | None], int]:
    try:
        told = json.loads(model)
        vocabulary = tokenizers.Tokenizer.from_buffer(model).get_vocab(with_added_tokens=True)
        added = {token["content"] for token in told.get("added_tokens", ()) if token.get("special")}
    except Exception as error:  # tokenizers raises plain Exception for what is no tokenizer
        raise AssetError("this is no tokenizer.json", where=str(file), hint=str(error).splitlines()[0][:200]) from error
    named: dict[str, Any] = {}
    for name, content in beside.items():
        try:
            named |= {role: token for role, token in json.loads(content).items() if token is not None}
        except (ValueError, AttributeError) as error:
            raise AssetError("a file beside the tokenizer cannot be read", where=str(file.parent / name)) from error
    found: dict[str, int | None] = {}
    for role, (fields, names) in _ROLES.items():
        asked = [named[field] for field in fields if field in named]
        tokens = [token["content"] if isinstance(token, dict) else token for token in asked]
        for token in tokens:
            if token not in vocabulary:
                raise AssetError(f"tokenizer_config.json names a token that is not there: {token}", where=str(file))
        tokens += [name for name in names if name in added]
        found[role] = vocabulary[tokens[0]] if tokens else None
    return found, max(vocabulary.values()) + 1


def _filled(special: Mapping[str, int | None], file: Path) -> dict[str, int | None]:
    bos, eos = special["bos"], special["eos"]
    if bos is None and eos is None:
        raise AssetError("the tokenizer has no token that begins a text, and none that ends it", where=str(file), hint=_HINT)
    end = bos if eos is None else eos
    pad = special["pad"]
    return {"bos": end if bos is None else bos, "eos": end, "pad": end if pad is None else pad, "unknown": special["unknown"]}

"""What a character is: class and script of every code point, as tables that kernels index.

The tables are a resource (``corpus/resources/characters.npz``), not Python's ``unicodedata``, whose version differs from one Python
to the next: the same text must give the same words everywhere. ``python -m corpus.kernels.characters`` makes the resource again.

    classes, scripts = tables()
    classes[ord("ä")] == LETTER
"""

import io
import sys
import unicodedata
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

OTHER, LETTER, MARK, DIGIT, SPACE, PUNCTUATION, SYMBOL, UNIT = range(8)  # UNIT: a letter of a script written without spaces

# ISO 15924 codes by the first word of a character's Unicode name; 0 is no script (digits, punctuation, symbols).
_BY_NAME = {
    "LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "COPTIC": "Copt", "ARABIC": "Arab", "HEBREW": "Hebr", "DEVANAGARI": "Deva",
    "BENGALI": "Beng", "GURMUKHI": "Guru", "GUJARATI": "Gujr", "ORIYA": "Orya", "TAMIL": "Taml", "TELUGU": "Telu", "KANNADA": "Knda",
    "MALAYALAM": "Mlym", "SINHALA": "Sinh", "THAI": "Thai", "LAO": "Laoo", "TIBETAN": "Tibt", "MYANMAR": "Mymr", "KHMER": "Khmr",
    "CJK": "Hani", "HIRAGANA": "Hira", "KATAKANA": "Kana", "HALFWIDTH": "Kana", "HANGUL": "Hang", "GEORGIAN": "Geor", "ARMENIAN": "Armn",
    "ETHIOPIC": "Ethi", "SYRIAC": "Syrc", "THAANA": "Thaa", "MONGOLIAN": "Mong", "CHEROKEE": "Cher", "CANADIAN": "Cans", "BOPOMOFO": "Bopo",
    "YI": "Yiii", "NKO": "Nkoo", "TIFINAGH": "Tfng", "JAVANESE": "Java", "BALINESE": "Bali", "OL": "Olck", "MEETEI": "Mtei",
}  # fmt: skip
SCRIPTS = ("", *sorted(set(_BY_NAME.values())))
WITHOUT_SPACES = ("Hani", "Hira", "Kana", "Bopo", "Yiii", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
_CODE_POINTS = 0x110000
_RESOURCE = "characters.npz"


@lru_cache(maxsize=1)
def tables() -> tuple[np.ndarray, np.ndarray]:
    """(class, script) of every code point: two uint8 arrays of shape (0x110000,); scripts index ``SCRIPTS``."""
    packed = np.load(io.BytesIO(resources.files("corpus.resources").joinpath(_RESOURCE).read_bytes()))
    lengths = np.diff(np.append(packed["starts"], _CODE_POINTS))
    return np.repeat(packed["classes"], lengths), np.repeat(packed["scripts"], lengths)


def _class_and_script(code: int) -> tuple[int, int]:
    character = chr(code)
    category = unicodedata.category(character)
    if character.isspace() or category in ("Zs", "Zl", "Zp"):
        return SPACE, 0
    script = _BY_NAME.get(unicodedata.name(character, "").split(" ")[0].split("-")[0], "")
    if category[0] == "L":
        return (UNIT if script in WITHOUT_SPACES else LETTER), SCRIPTS.index(script)
    if category[0] == "M" or code in (0x200C, 0x200D):  # the joiners shape the letters around them, as marks do
        return MARK, SCRIPTS.index(script)
    kind = {"N": DIGIT, "P": PUNCTUATION, "S": SYMBOL}.get(category[0], OTHER)
    return kind, 0


def make_resource() -> bytes:
    """The tables, run-length encoded, from the ``unicodedata`` of this Python."""
    pairs = np.array([_class_and_script(code) for code in range(_CODE_POINTS)], dtype=np.uint8)
    starts = np.flatnonzero(np.append(True, (pairs[1:] != pairs[:-1]).any(axis=1)))
    packed = io.BytesIO()
    np.savez_compressed(packed, starts=starts.astype(np.uint32), classes=pairs[starts, 0], scripts=pairs[starts, 1])
    return packed.getvalue()


if __name__ == "__main__":
    target = Path(__file__).parent.parent / "resources" / _RESOURCE
    target.write_bytes(make_resource())
    print(f"{target}: Unicode {unicodedata.unidata_version}, Python {sys.version.split()[0]}")

"""A page in another script: the same markup, its letters changed, to see whether a classifier has learned that content is English.

    disguise("<p>The old mill, by the river.</p>", "Hani") -> "<p>乗亀丞…。</p>"

Labelled pages are hard to come by in any but a few languages. Hani: each three letters of a word become one character, with no spaces
and full-width punctuation. Arab: each letter becomes one, with no capitals.
"""

import html
import re
import zlib

_TEXT = re.compile(r"<(script|style)\b.*?</\1|>([^<]+)(?=<)", re.DOTALL | re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN_HAN = re.compile(r"(?<=[一-鿿，。！？]) +(?=[一-鿿，。！？])")
_HAN, _ARABIC = str.maketrans(".,!?", "。，！？"), str.maketrans(",;?", "،؛؟")
_FIRST_HAN, _HAN_USED = 0x4E00, 3000
_ARABIC_LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
SCRIPTS = ("Hani", "Arab")


def disguise(page: str, script: str) -> str:
    """``script``: one of SCRIPTS. Tags stay as they are; so does the number of blocks of text."""
    change = _to_han if script == "Hani" else _to_arabic

    def changed(met: re.Match[str]) -> str:
        return met[0] if met[2] is None else ">" + html.escape(change(html.unescape(met[2])), quote=False)

    return _TEXT.sub(changed, page)


def _to_han(text: str) -> str:
    changed = _WORD.sub(lambda met: "".join(_han(met[0][at : at + 3]) for at in range(0, len(met[0]), 3)), text)
    return _BETWEEN_HAN.sub("", changed.translate(_HAN))


def _han(letters: str) -> str:
    return chr(_FIRST_HAN + zlib.crc32(letters.lower().encode()) % _HAN_USED)


def _to_arabic(text: str) -> str:
    changed = _WORD.sub(lambda met: "".join(_ARABIC_LETTERS[ord(letter) % len(_ARABIC_LETTERS)] for letter in met[0].lower()), text)
    return changed.translate(_ARABIC)

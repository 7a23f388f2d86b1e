"""Each list tells its language from noise: on the Universal Declaration of Human Rights, and on its letters in disorder."""

import random
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.language.stopwords import languages, stop_words
from corpus.quality.gopher import GopherQuality
from corpus.quality.roots import RootsQuality
from tests.corpus.test_steps import reasons, run

# language -> file of the collection
DECLARATION = {
    "ar": "arb", "bg": "bul", "bn": "ben", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell_monotonic", "en": "eng",
    "es": "spa", "fa": "pes_1", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "id": "ind", "it": "ita",
    "ja": "jpn", "ko": "kor", "nl": "nld", "no": "nob", "pl": "pol", "pt": "por_PT", "ro": "ron", "ru": "rus", "sk": "slk", "sv": "swe",
    "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "cmn_hans",
}  # fmt: skip
BY_CHARACTER = {"ja", "zh"}  # characters in disorder are the same characters: there noise keeps all its stop words
STOP_WORDS = {"gopher:too_few_stop_words", "roots:too_few_stop_words"}


def in_disorder(text: str) -> str:
    """The letters change places over the whole text, and words keep their lengths; the same disorder each time."""
    letters = re.findall(r"\w", text)
    random.Random(1).shuffle(letters)
    at = iter(letters)
    return re.sub(r"\w", lambda _: next(at), text)


def test_every_list_is_tried() -> None:
    assert set(languages()) == set(DECLARATION)
    for language in languages():
        listed = stop_words(language) or frozenset()
        assert 15 <= len(listed) <= 60
        assert all(word == word.lower() == unicodedata.normalize("NFC", word) for word in listed)


@pytest.mark.parametrize("language", DECLARATION)
def test_the_declaration_passes_and_noise_does_not(language: str, shared_data: Callable[[str], Path]) -> None:
    path = shared_data("lid") / "nltk_data__udhr2" / f"{DECLARATION[language]}.txt"
    text = unicodedata.normalize("NFC", path.read_text(encoding="utf-8"))
    assert not reasons(run(GopherQuality(), text, language=language))[0]
    assert not STOP_WORDS & set(reasons(run(RootsQuality(), text, language=language))[0])
    if language not in BY_CHARACTER:
        assert "roots:too_few_stop_words" in reasons(run(RootsQuality(), in_disorder(text), language=language))[0]


def test_words_that_are_long_or_short_by_nature(shared_data: Callable[[str], Path]) -> None:
    """Malayalam's 11.82 characters a word and Korean's 2.87 would fail, judged as English."""
    for language, name, fault in (("ml", "mal", "gopher:words_too_long"), ("ko", "kor", "gopher:words_too_short")):
        text = (shared_data("lid") / "nltk_data__udhr2" / f"{name}.txt").read_text(encoding="utf-8")
        assert fault not in reasons(run(GopherQuality(), text, language=language))[0]
        assert fault in reasons(run(GopherQuality(word_length_scale={}), text, language=language))[0]

"""The words of the magazine: per language a file of sentences with slots, from which articles are put together.

Every sentence was written for this project. An article takes a dozen of a language's sentences, in an order that a seed decides, with
names, places and numbers filled in: two articles share some sentences, and are no near-copies.

    articles(load("de"), 3, random.Random(0))
"""

import random
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import final

LANGUAGES = ("en", "de", "fr", "es", "ru", "ar", "hi", "zh")  # five scripts
_SENTENCES = 11  # of an article, in three or four paragraphs
_SLUGS = ("river", "stone", "wheel", "bread", "harvest", "market", "bridge", "oven", "sail", "weir", "loft")


@final
@dataclass(frozen=True)
class Language:
    """``sentences`` have the slots {place}, {name}, {year}, {number}; ``titles`` have {place} and {name}; ``contact`` those of
    personal data."""

    code: str
    site_name: str
    navigation: tuple[str, ...]
    banner: str
    footer: str
    joint: str  # between sentences: a space, or nothing in Chinese
    places: tuple[str, ...]
    names: tuple[str, ...]
    titles: tuple[str, ...]
    sentences: tuple[str, ...]
    contact: tuple[str, ...]
    profane: tuple[str, ...]
    spam: tuple[str, ...]


@lru_cache(maxsize=16)
def load(code: str) -> Language:
    """From ``stories/CODE.txt``: ``key: value`` lines, lists as lines under ``[key]``."""
    text = resources.files("corpus.resources.stories").joinpath(f"{code}.txt").read_text(encoding="utf-8")
    single: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1]
            lists[current] = []
        elif line.strip() and current:
            lists[current].append(line.strip())
        elif line.strip():
            key, _, value = line.partition(":")
            single[key.strip()] = value.strip()
    listed = {key: tuple(value) for key, value in lists.items()}
    return Language(
        code, single["site_name"], joint="" if code == "zh" else " ", banner=single["banner"], footer=single["footer"], **listed
    )


def articles(language: Language, count: int, draw: random.Random) -> list[tuple[str, str, list[str]]]:
    """(slug, title, paragraphs) of ``count`` articles."""
    made = []
    for _ in range(count):
        place, name = draw.choice(language.places), draw.choice(language.names)
        title = draw.choice(language.titles).format(place=place, name=name)
        chosen = draw.sample(language.sentences, _SENTENCES)
        filled = [
            sentence.format(
                place=place if at % 3 else draw.choice(language.places),
                name=name,
                year=draw.randrange(1650, 1990),
                number=draw.randrange(3, 90),
            )
            for at, sentence in enumerate(chosen)
        ]
        cuts = [0, 3 + draw.randrange(2), 7 + draw.randrange(2), len(filled)]
        paragraphs = [language.joint.join(filled[start:end]) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]
        made.append((draw.choice(_SLUGS), title, paragraphs))
    return made

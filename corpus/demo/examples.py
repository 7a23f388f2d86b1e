"""Labelled text for the demo's classifier: prose of the magazine against its menus, banners and spam.

for label, text in labelled_examples(): ...
"""

import random
from collections.abc import Iterator

from corpus.demo.stories import LANGUAGES, articles, load

_EACH = 40  # of each label and language


def labelled_examples() -> Iterator[tuple[str, str]]:
    """(``good`` or ``bad``, text), the same every time."""
    for code in LANGUAGES:
        language, draw = load(code), random.Random(f"labelled {code}")
        for _, _, paragraphs in articles(language, _EACH, draw):
            yield "good", language.joint.join(paragraphs)
        poor = [
            *language.navigation,
            language.banner,
            language.footer,
            *language.spam,
            *(" ".join(language.spam[0].split()[at:]) for at in range(4)),
        ]
        for _ in range(_EACH):
            yield "bad", language.joint.join(draw.choices(poor, k=draw.randrange(4, 9)))

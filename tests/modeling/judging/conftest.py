"""An empty file of votes for each test of judging."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modeling.judging.votes import Votes
from tests.modeling.judging.items import PAIR


@pytest.fixture
def votes(tmp_path: Path) -> Iterator[Votes]:
    opened = Votes.create(tmp_path / "votes.sqlite", "pairs", PAIR)
    yield opened
    opened.close()

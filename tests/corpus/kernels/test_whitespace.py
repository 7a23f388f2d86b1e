"""White space collapsed, against regular expressions."""

import re
import sys

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.characters import SPACE, tables
from corpus.kernels.whitespace import collapse

texts = st.one_of(
    st.none(), st.text(alphabet=st.sampled_from("ab \n\t\r\x1c\x85\u00a0\u2028\u3000é我\U0001f600\u200b")), st.text(max_size=60)
)


def normal(text: str) -> str:
    """Each rule an expression of its own."""
    return re.sub("\n{3,}", "\n\n", re.sub(" ?\n ?", "\n", re.sub("[^\\S\n]+", " ", text))).strip()


@given(st.lists(texts, max_size=5))
def test_collapse(rows: list[str | None]) -> None:
    column = pa.array(["x", *rows], pa.string()).slice(1)
    assert collapse(column).to_pylist() == [None if text is None else normal(text) for text in rows]
    assert collapse(column, keep_lines=False).to_pylist() == [None if text is None else " ".join(text.split()) for text in rows]
    assert collapse(collapse(column)).equals(collapse(column))
    collapse(column).validate(full=True)


def test_white_space_is_what_python_calls_so() -> None:
    assert [code for code in range(sys.maxunicode + 1) if (tables()[0][code] == SPACE) != chr(code).isspace()] == []

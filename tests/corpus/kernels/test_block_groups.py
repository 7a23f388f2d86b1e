"""What the features of blocks are made of: groups of like keys and siblings, counts of a page written for it, the search for a byte."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.main_content import Vocabulary
from corpus.kernels.block_features import FEATURES, INNER_GROUP, PATH_GROUP
from corpus.kernels.block_groups import number_groups, room_for_groups
from corpus.kernels.markup import scan
from corpus.kernels.seek import count, find, is_utf8, whole_words

NO_WORDS = Vocabulary(np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(0, np.int8))


@given(st.binary(max_size=80), st.integers(0, 80), st.integers(0, 255))
def test_find_equals_that_of_bytes(data: bytes, at: int, wanted: int) -> None:
    array = np.frombuffer(data, np.uint8)
    for end in {len(data), len(data) // 2}:
        found = data.find(bytes([wanted]), at, end)
        assert find(array, whole_words(array), min(at, end), end, np.uint8(wanted)) == (end if found < 0 else found)
    assert count(array, np.uint8(wanted)) == data.count(bytes([wanted]))


@given(st.binary(max_size=40) | st.lists(st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.sampled_from([b"a" * 17, b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x80\x80\x80",
                       b"\xe2\x82", b"\x80"])
    ).map(b"".join))  # fmt: skip
def test_valid_utf8_is_what_python_decodes(data: bytes) -> None:
    try:
        data.decode("utf-8")
        assert is_utf8(data)
    except UnicodeDecodeError:
        assert not is_utf8(data)


@given(st.lists(st.sampled_from([0, 1, 2, 2**32, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1), max_size=40))
def test_groups_are_numbered_as_they_appear(keys: list[int]) -> None:
    groups = np.zeros(len(keys), np.int64)
    number = number_groups(np.array(keys, np.uint64), len(keys), room_for_groups(len(keys)), groups)
    order = list(dict.fromkeys(keys))
    assert groups.tolist() == [order.index(key) for key in keys]
    assert number == len(order)


def features(html: str) -> list[dict[str, float]]:
    matrix, _ = NO_WORDS.features_of(scan(html.encode()))
    return [dict(zip(FEATURES, row, strict=True)) for row in matrix.tolist()]


def test_posts_of_a_thread() -> None:
    """Four posts of two paragraphs, 100 and 20 characters, beside a menu of 40: counts and shares as they are."""
    post = f'<div class="post"><p>{"x" * 100}</p><p>{"y" * 20}</p></div>'
    html = f"<body><nav><a href=/>{'z' * 40}</a></nav><div>{post * 4}</div></body>"
    matrix, groups = NO_WORDS.features_of(scan(html.encode()))
    menu, first, second = (dict(zip(FEATURES, row, strict=True)) for row in matrix[:3].tolist())
    assert len(matrix) == 9
    assert (menu["units"], menu["link_share"], menu["in_nav"], menu["repeat_most"]) == (40, 1, 1, 1)
    assert (first["units"], first["link_share"], first["in_nav"], first["repeat_most"]) == (100, 0, 0, 4)
    assert (first["copies"], first["same_count"], first["same_share"], first["same_mean"]) == (4, 8, np.float32(480 / 520), 60)
    assert (first["units_0"], first["units_1"], first["units_2"], first["blocks_1"]) == (100, 120, 480, 2)
    assert (second["from_long"], second["to_long"], first["from_long"]) == (1, 1, 1e6)
    assert (first["page_units"], first["page_blocks"], first["page_link_share"], first["page_long"]) == (520, 9, np.float32(40 / 520), 4)
    assert (groups[1:, INNER_GROUP] == groups[1, INNER_GROUP]).all()
    assert groups[0, INNER_GROUP] == -1
    assert groups[:, PATH_GROUP].tolist() == [0] + [1] * 8

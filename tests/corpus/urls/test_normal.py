"""URLs that name the same page have one form, and others do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.urls.normal import normal


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("http://example.com", "example.com"),
        ("https://www.Example.COM./", "example.com"),
        ("https://example.com:443/a", "example.com/a"),
        ("http://example.com:443/a", "example.com:443/a"),
        ("http://example.com/a/?b=2&a=1#part", "example.com/a?a=1&b=2"),
        ("http://example.com/a?utm_campaign=x&fbclid=1&id=7", "example.com/a?id=7"),
        ("http://example.com/index.php?page=2", "example.com?page=2"),
        ("http://example.com/shop;jsessionid=AB12?x=", "example.com/shop?x="),
        ("http://example.com/%7Euser/caf%C3%A9", "example.com/~user/caf%C3%A9"),
        ("http://example.com/~user/café", "example.com/~user/caf%C3%A9"),
        ("http://example.com/a/./b/../c", "example.com/a/c"),
        ("http://example.com/a?inside=1&side=2", "example.com/a?inside=1&side=2"),
        ("no address", None),
        ("http://[bad", None),
    ],
)
def test_forms(url: str, form: str | None) -> None:
    assert normal(url) == form


@given(st.text(alphabet=st.sampled_from("ab/.?&=#%2F:é "), max_size=30))
def test_a_form_is_the_form_of_itself(rest: str) -> None:
    once = normal("http://example.com/" + rest)
    assert once is None or normal("http://" + once) == once

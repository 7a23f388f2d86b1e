"""Which licences pass: patterns, versions, expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import RecipeError
from corpus.recipe import from_data, load
from corpus.rights import RequireLicense

OPEN = RequireLicense(allow=("CC-BY-*", "CC0-1.0", "MIT", "GPL-*"), deny=("GPL-1.0*",))


@pytest.mark.parametrize(
    ("license", "passes"),
    [
        ("CC-BY-4.0", True),
        ("cc-by-3.0-us", True),
        ("CC-BY-NC-4.0", False),
        ("CC-BY-SA-4.0", False),
        ("CC0-1.0", True),
        ("https://creativecommons.org/licenses/by/4.0/", True),
        ("http://creativecommons.org/licenses/by-nd/4.0/", False),
        ("https://creativecommons.org/publicdomain/zero/1.0/", True),
        ("MIT", True),
        ("MIT-0", False),
        ("Apache-2.0", False),
        ("Apache-2.0 OR MIT", True),
        ("Apache-2.0 AND MIT", False),
        ("MIT AND (Apache-2.0 OR CC0-1.0)", True),
        ("Apache-2.0 OR MIT AND BSD-2-Clause", False),
        ("(Apache-2.0 OR MIT) AND CC-BY-4.0", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("GPL-1.0-or-later", False),
        ("all rights reserved", False),
        ("MIT, or so", False),
        ("MIT OR", False),
        ("(MIT", False),
        ("(" * 5000 + "MIT", False),
        ("", False),
    ],
)
def test_a_license(license: str, passes: bool) -> None:
    assert OPEN.passes(license) == passes


_ids = st.sampled_from(["MIT", "ISC", "Zlib"])
_expressions = st.recursive(
    _ids, lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda parts: f"({' '.join(parts)})")
)


@given(_expressions, st.lists(_expressions, max_size=2), st.sets(_ids))
def test_expressions_are_what_python_makes_of_them(first: str, more: list[str], allowed: set[str]) -> None:
    text = " OR ".join([first, *more])
    names = {name: name in allowed for name in ("MIT", "ISC", "Zlib")}
    step = RequireLicense(allow=tuple(allowed) or ("none",))
    assert step.passes(text) == eval(text.replace("AND", "and").replace("OR", "or"), names)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (OPEN, [[], ["rights:license"], ["rights:no_license"]]),
        (RequireLicense(allow=("MIT",), allow_missing=True), [[], ["rights:license"], []]),
        (RequireLicense(), [[], [], ["rights:no_license"]]),
        (RequireLicense(deny=("MIT",)), [["rights:license"], [], ["rights:no_license"]]),
    ],
)
def test_reasons(step: RequireLicense, expected: list[list[str]]) -> None:
    batch = document.new_batch(id=list("abc"), text=list("abc"), license=["MIT", "CC-BY-NC-4.0", None])
    assert [[each["reason"] for each in failed] for failed in step(batch)["failed"].to_pylist()] == expected


def test_in_a_recipe() -> None:
    data = load("code").to_data()
    data["steps"].insert(0, {"require_license": {"allow": ["BSD-*"]}})
    assert from_data(data).steps[0] == RequireLicense(allow=("BSD-*",))
    data["steps"][0] = {"require_license": {"allow": ["the MIT one"]}}
    with pytest.raises(RecipeError, match="'the MIT one' is no SPDX identifier"):
        from_data(data)

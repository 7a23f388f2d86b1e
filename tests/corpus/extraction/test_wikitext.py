"""Wikitext against texts worked out by hand, and against whatever the generator thinks of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.wikitext import WikiNames, article_text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "'''Tea''' is a [[drink]] of [[China|Chinese]] ''origin''.{{citation needed|date={{CURRENTYEAR}}}}",
            "Tea is a drink of Chinese origin.",
        ),
        ("One.<ref>Smith, [[John|J.]] {{cite}}</ref> Two.<ref name=a /> Three.<REF name=b>x</REF>", "One. Two. Three."),
        ("a<!-- hidden {{ [[ --> b", "a b"),
        ("{| class=x\n! A !! B\n|-\n| 1 || [[two|2]]\n|}\nAfter.", "After."),
        ("{{Infobox\n| name = [[A|B]]\n| x = {{y|{{z}}}}\n|}}Text.", "Text."),
        ("[[File:A.jpg|thumb|A [[cat|tabby cat]] asleep]]Cats sleep.[[Category:Cats]][[de:Katze]]", "Cats sleep."),
        ("See [[:Category:Cats]] and [[Lead (metal)|]].", "See Category:Cats and Lead."),
        ("Mass: <math>E = mc^{2}</math>, <math display=block>\\frac{a}{{b}}</math>", "Mass: $E = mc^{2}$, $$\\frac{a}{{b}}$$"),
        ("It is {{convert|5|km|mi}} long and {{lang|de|schön}}.", "It is 5 km long and schön."),
        ("Go to [https://a.example/x?y=1 the site] or [http://b.example].", "Go to the site or ."),
        ("<nowiki>[[not a link]] ''x''</nowiki> &amp; &lt;b&gt;", "[[not a link]] ''x'' & <b>"),
        (
            "== A ==\nText.\n=== B ===\n=== C ===\n* one\n** two\n# three\n: said\n; term",
            "A\n\nText.\n\nC\n\n- one\n- two\n- three\nsaid\nterm",
        ),
        ("Text.\n== References ==\n<references/>\n* [http://x y]\n=== Deeper ===\nmore\n== Next ==\nWords.", "Text.\n\nNext\n\nWords."),
        ("An [[unclosed link\nand {{unclosed template\n'''bold", "An unclosed link\nand unclosed template\nbold"),
        ("-{zh-hans:计算机;zh-hant:電腦}-是机器。", "计算机是机器。"),
        ("Line one<br />line two__NOTOC__", "Line one\nline two"),
        ("Asphalt ({{IPA|x}}, {{IPA|y}}) is (, also bitumen) black.", "Asphalt (x, y) is (also bitumen) black."),
        ("#REDIRECT", "- REDIRECT"),
        ("", ""),
        ("{{a}}[[Category:B]]", ""),
    ],
)
def test_by_hand(source: str, expected: str) -> None:
    assert article_text(source, WikiNames()) == expected


def test_tables_as_text() -> None:
    source = "{| class=w\n|+ Rivers\n! Name !! Length\n|-\n| align=left | [[Rhine|The Rhine]] || 1,230 km\n|-\n| Elbe\n| 1,094 km\n|}"
    assert article_text(source, WikiNames(), tables="text") == "Rivers\nName | Length\nThe Rhine | 1,230 km\nElbe | 1,094 km"


def test_namespaces_by_their_own_names() -> None:
    names = WikiNames(hidden=frozenset(("datei", "kategorie")))
    assert article_text("[[Datei:A.jpg|mini|x]]Text[[Kategorie:B]]", names) == "Text"


@given(st.text("[]{}|'=<>!-*#:;\n ax&\x7f/", max_size=200))
def test_nothing_raises_and_no_mark_stays(source: str) -> None:
    for tables in ("cut", "text"):
        text = article_text(source, WikiNames(), tables=tables)  # type: ignore[arg-type]
        assert "\x7f" not in text
        assert text == text.strip()


@pytest.mark.parametrize(
    "unit", ["{{", "[[", "{|\n", "]]", "}}", "[[a|", "{{a|", "<ref>", "<!--", "'''''", "=", "[http://", "(", "-{", "<a ", "[[{{", "( , "]
)
def test_brackets_without_end_cost_no_text_and_no_hour(unit: str) -> None:
    """100,000 of each: what is quadratic in them would take longer than the whole suite."""
    assert article_text("Before.\n\n" + unit * 100_000, WikiNames()).startswith("Before.")

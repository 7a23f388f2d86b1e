"""The few templates of MediaWiki that carry text of the sentence they stand in; all others show nothing.

Names are those of the English projects, which most others share; without these a sentence would lose a word: "a height of , in the".

    render(["convert", "5", "km"]) -> "5 km"
"""

from collections.abc import Callable

# Name -> which of the unnamed arguments (from 1) is the text.
_ARGUMENT: dict[str, int] = {
    **dict.fromkeys(
        (
            "lang", "transl", "transliteration", "script", "rtl-lang", "tooltip-lang", "m", "l", "mention", "link", "cog", "cognate",
            "m+", "ll", "noncog", "ncog",
        ),
        2,
    ),
    **dict.fromkeys(["der", "bor", "inh", "derived", "borrowed", "inherited", "lbor", "ubor", "bor+", "inh+", "der+"], 3),
    **dict.fromkeys(
        (
            "nowrap", "nobr", "small", "big", "abbr", "sic", "ill", "interlanguage link", "visible anchor", "vanchor", "linktext",
            "math", "mvar", "em", "strong", "quote", "blockquote", "cquote", "quotation", "tooltip", "sub", "sup", "smallcaps",
            "nihongo", "gloss", "non-gloss", "non-gloss definition", "n-g", "ng", "q", "qualifier", "nobold", "noitalic", "val",
            "formatnum", "ipa", "w", "pedlink", "iast",
        ),
        1,
    ),
}  # fmt: skip
_FIXED: dict[str, str] = {
    "ndash": "–", "mdash": "—", "snd": " – ", "spaced ndash": " – ", "spnd": " – ", "nbsp": " ", "!": "|", "=": "=", "'": "'", "\"": "\"",
    "c.": "c. ", "circa": "c. ", "bullet": "•", "·": "·", "dot": "·", "zwnj": "\u200c", "no break": " ",
}  # fmt: skip
_MADE: dict[str, Callable[[list[str]], str]] = {
    "convert": lambda words: " ".join(words[:2]),
    "cvt": lambda words: " ".join(words[:2]),
    "frac": lambda words: f"{words[0]}/{words[1]}" if len(words) == 2 else "".join(words[:1]),
    "sfrac": lambda words: f"{words[0]}/{words[1]}" if len(words) == 2 else "".join(words[:1]),
    "as of": lambda words: f"As of {'-'.join(words[:3])}" if words else "",
    "c.": lambda words: f"c. {words[0]}" if words else "c. ",
    "circa": lambda words: f"c. {words[0]}" if words else "c. ",
    "lb": lambda words: f"({', '.join(words[1:])})" if words[1:] else "",
    "lbl": lambda words: f"({', '.join(words[1:])})" if words[1:] else "",
    "label": lambda words: f"({', '.join(words[1:])})" if words[1:] else "",
}


def render(arguments: list[str]) -> str:
    """``arguments``: the template's name, then what stands between its bars. What it shows, empty as a rule."""
    name = arguments[0].strip().lower().replace("_", " ")
    if name.startswith("formatnum:"):
        return name.removeprefix("formatnum:").strip()
    if name in _MADE:
        return _MADE[name](_unnamed(arguments))
    if name in _FIXED:
        return _FIXED[name]
    if name in _ARGUMENT:
        words = _unnamed(arguments)
        at = _ARGUMENT[name] - 1
        if name in ("quote", "blockquote", "cquote", "quotation") and not words:
            return _named(arguments, "text")
        return words[at] if at < len(words) else ""
    return ""


def _unnamed(arguments: list[str]) -> list[str]:
    """Without ``key=value``; ``1=value`` counts by its number."""
    found: list[str] = []
    numbered: dict[int, str] = {}
    for argument in arguments[1:]:
        key, equals, value = argument.partition("=")
        if equals and key.strip().isdecimal() and len(key.strip()) < 3:
            numbered[int(key)] = value.strip()
        elif not equals or not key.strip().replace("-", "").replace("_", "").replace(" ", "").isalnum():
            found.append(argument.strip())
    for number, value in sorted(numbered.items()):
        if number == len(found) + 1:
            found.append(value)
        elif 0 < number <= len(found):
            found[number - 1] = value
    return found


def _named(arguments: list[str], name: str) -> str:
    return next((value.strip() for key, _, value in (each.partition("=") for each in arguments[1:]) if key.strip().lower() == name), "")

"""The elements of HTML by number, and what the scanner has to know of each.

NUMBERS["td"], FLAGS[NUMBERS["td"]] & BLOCK
"""

import numpy as np

from corpus.kernels.compiled import lean_kernel
from corpus.kernels.entities import name_hash

BLOCK = 1  # begins and ends a block of text
VOID = 2  # has no content
RAW = 4  # its content is no markup, and no text of the page
HIDES = 8  # its content is markup, and no text of the page
IN_HEAD = 16  # may stand in <head>; any other begins the body
CLOSES_P = 32

_BLOCKS = (
    "html body address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hgroup li main menu nav ol p pre search section summary ul table caption colgroup thead tbody tfoot tr td th legend "
    "button iframe object marquee listing xmp frameset"
)
_INLINE = "a abbr b bdi bdo big cite code data del dfn em font i ins kbd label map mark math nobr output q ruby rb rt rp s samp small span strike strong sub sup time tt u var picture"  # noqa: E501
_VOID = "area base br col embed hr img input link meta param source track wbr frame basefont bgsound keygen"
_RAW = "script style textarea title noembed noframes iframe xmp plaintext"
_HIDES = "head template noscript svg select optgroup option datalist audio video canvas annotation annotation-xml rp"
_IN_HEAD = "head base basefont bgsound link meta noscript script style template title noframes"
_CLOSES_P = (
    "address article aside blockquote center details dialog dir div dl dd dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hgroup hr li main menu nav ol p pre listing plaintext search section summary table ul xmp"
)

NAMES = ("", *dict.fromkeys(f"{_BLOCKS} {_INLINE} {_VOID} {_RAW} {_HIDES} {_IN_HEAD}".split()), "custom")
NUMBERS = {name: number for number, name in enumerate(NAMES)}
CUSTOM = NUMBERS["custom"]  # any name with a hyphen: most such elements are containers
FLAGS = np.zeros(len(NAMES), np.uint8)
for _names, _flag in (
    (_BLOCKS + " custom plaintext", BLOCK), (_VOID, VOID), (_RAW, RAW), (_HIDES, HIDES), (_IN_HEAD, IN_HEAD), (_CLOSES_P, CLOSES_P),
):  # fmt: skip
    for _name in _names.split():
        FLAGS[NUMBERS[_name]] |= _flag

_SLOTS = 1024
TAG_KEYS, TAG_NUMBERS = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.int64)
for _name, _number in NUMBERS.items():
    if _name not in ("", "custom"):
        _slot = int(name_hash(_name.encode())) % _SLOTS
        while TAG_KEYS[_slot]:
            _slot = (_slot + 1) % _SLOTS
        TAG_KEYS[_slot], TAG_NUMBERS[_slot] = name_hash(_name.encode()), _number

# Attributes that are read, by number.
ATTRIBUTES = ("class", "id", "role", "itemprop", "data-testid", "style", "hidden", "aria-hidden", "rel", "type", "href", "datetime")

_FNV = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_SLOT_MASK = np.uint64(len(TAG_KEYS) - 1)


@lean_kernel
def tag_name(data, at, end):  # type: ignore[no-untyped-def]
    """(number of the tag whose name begins at ``at``, where the name ends)."""
    value = _FNV
    hyphen = False
    while at < end:
        byte = data[at]
        if byte <= 32 or byte == 47 or byte == 62:
            break
        if 65 <= byte <= 90:
            byte |= 32
        hyphen |= byte == 45
        value = (value ^ np.uint64(byte)) * _PRIME
        at += 1
    slot = value & _SLOT_MASK
    while TAG_KEYS[slot] != 0 and TAG_KEYS[slot] != value:
        slot = (slot + np.uint64(1)) & _SLOT_MASK
    if TAG_KEYS[slot] != 0:
        return TAG_NUMBERS[slot], at
    return CUSTOM if hyphen else 0, at

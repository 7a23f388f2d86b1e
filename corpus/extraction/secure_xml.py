"""XML from strangers: nothing is fetched, no entity is expanded, depth is bounded.

A document type declaration is allowed (every JATS article has one), but never read from elsewhere; one that declares entities of its own
is refused, whatever they hold. Names that HTML knows (``&alpha;``) are resolved by HTML's table.

    root = parse(b"<a>x &amp; y</a>")
"""

import html

from lxml import etree

from corpus.step import Reason

BROKEN = Reason("xml:broken", "the file is no well-formed XML")
ENTITIES = Reason("xml:entities", "the file declares entities of its own, which are how small files grow")
TOO_DEEP = Reason("xml:too_deep", "elements are nested deeper than the limit")

MAX_DEPTH = 200  # the deepest of the articles at hand has 17, of the office files 22
_DEEPER = "boolean(" + "/*" * (MAX_DEPTH + 1) + ")"


class XmlFault(Exception):
    """The document is refused, for ``reason``."""

    def __init__(self, reason: Reason):
        super().__init__(reason.code)
        self.reason = reason


def parser() -> etree.XMLParser:
    """A parser that fetches and expands nothing; text nodes over 10 MB are libxml2's own limit."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)


def parse(data: bytes) -> etree._Element:
    """The root element. Raises XmlFault."""
    try:
        root = etree.fromstring(data, parser())
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise XmlFault(TOO_DEEP if "depth" in str(error) else BROKEN) from error  # libxml2's own limit is 256
    if root is None:
        raise XmlFault(BROKEN)
    types = root.getroottree().docinfo.internalDTD
    if types is not None and any(True for _ in types.iterentities()):
        raise XmlFault(ENTITIES)
    if root.xpath(_DEEPER):
        raise XmlFault(TOO_DEEP)
    return root


def local_name(element: etree._Element) -> str:
    """The tag without its namespace; "" for what is no element (an unresolved entity)."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def entity_text(element: etree._Element) -> str:
    """What an entity that no declaration explains stands for, by HTML's table; "" where it knows none, and for elements."""
    return html.unescape(element.text or "") if element.tag is etree.Entity and html.unescape(element.text or "") != element.text else ""

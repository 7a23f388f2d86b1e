"""E-mail messages to the words that their writers wrote.

Text/plain is preferred; an HTML part goes through the reader of pages. What was quoted from earlier messages and the signature are cut:
they would be read once a reply, again and again. Addresses and names in the header are not kept; the subject is the title. Attachments are
counted by type and never opened. The label ``thread`` is a hash of the first message's id, so that a conversation can be kept together.

    read_message(b"Subject: Hi\\n\\nHello.\\n-- \\nJoe").text  # "Hello."
"""

import binascii
import re
from collections import Counter
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parsedate_to_datetime

from corpus import hashing
from corpus.extraction.charset import decode
from corpus.extraction.extracted import Extracted
from corpus.extraction.main_content import whole_text
from corpus.kernels.markup import scan
from corpus.step import Reason

UNREADABLE = Reason("mail:unreadable", "the message's structure cannot be read")
TOO_NESTED = Reason("mail:too_nested", "the message has more parts within parts than the limit")
ENCRYPTED = Reason("mail:encrypted", "the message is encrypted (PGP or S/MIME)")
NOTHING_NEW = Reason("mail:nothing_new", "nothing is left of the message without what it quotes and its signature")

MAX_PARTS = 200  # Python's parser looks at each line once for each part around it
_FAULTS = (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError, binascii.Error, OverflowError, MessageError)
_QUOTED = re.compile(r"^\s{0,3}>")
_SIGNATURE = re.compile(r"^--\s?$|^_{20,}$|^Sent from my |^Von meinem .{1,40} gesendet$|^Envoyé de mon ")
# Lines above which the writer's own words end: Outlook's and others' way to quote without marks.
_FORWARD = re.compile(
    r"^\s*-{2,}\s*(?:(?:original|forwarded) message|(?:ursprüngliche|weitergeleitete) nachricht|message d'origine|mensaje original)\s*--",
    re.IGNORECASE,
)
_OUTLOOK = re.compile(r"^(?:From|Von|De|Da):\s.{1,200}$")
_OUTLOOK_NEXT = re.compile(r"^(?:Sent|Date|Gesendet|Datum|Envoyé|Enviado|Inviato|To|An|À|Para)\s?:\s")
_ATTRIBUTION = re.compile(
    r"^(?:On\s.{4,200}\swrote:|Am\s.{4,200}\sschrieb.{0,120}:|Le\s.{4,200}\sa écrit\s?:|El\s.{4,200}\sescribió:"
    r"|.{1,120}<[^<>\s]{3,100}>\s(?:wrote|schrieb):)\s*$"
)
_HTML_QUOTE = re.compile(
    rb"<blockquote[^>]{0,300}(?:cite|gmail_quote)|<div[^>]{0,300}(?:gmail_quote|divRplyFwdMsg|moz-cite-prefix)", re.IGNORECASE
)
# Types are a stranger's words, and stand in the manifest: those that are met every day by name, the others together.
_MAIN_TYPES = {"application", "audio", "image", "message", "text", "video"}
_OFFICE_TYPE = "vnd.openxmlformats-officedocument."
_KNOWN_TYPES = {
    *("pdf", "zip", "msword", "vnd.ms-excel", "octet-stream", "rfc822", "png", "jpeg", "gif", "calendar", "csv", "html", "plain"),
    *(_OFFICE_TYPE + kind for kind in ("wordprocessingml.document", "spreadsheetml.sheet", "presentationml.presentation")),
}
_OPENED = re.compile(r"^(?:On|Am|Le|El)\s.{0,200}(?:\d|<)")


def read_message(data: bytes) -> Extracted:
    """One message as bytes -> its own words, or the reason why there are none."""
    parts = data.lower().count(b"multipart/")
    if parts > MAX_PARTS:
        return Extracted(fault=TOO_NESTED, value=parts, threshold=MAX_PARTS)
    try:
        message = BytesParser(policy=compat32).parsebytes(data)
        return _read(message)
    except _FAULTS:
        return Extracted(fault=UNREADABLE)


def _read(message: Message) -> Extracted:
    counted: Counter[str] = Counter()
    about = {"title": " ".join(_header(message, "Subject").split()) or None, "date": _date(_header(message, "Date"))}
    own = _header(message, "Message-ID").strip()
    first = (re.findall(r"<[^<>]{1,500}>", f"{_header(message, 'References')} {_header(message, 'In-Reply-To')} {own}") or [own])[0]
    labels = {"thread": hashing.document_id("thread", first)} if first else {}
    key = hashing.document_id("message", own) if own else ""
    kind = message.get_content_type()
    is_sealed = kind == "multipart/encrypted" or (kind.endswith("pkcs7-mime") and "signed" not in str(message.get("Content-Type")))
    plain, html = _bodies(message, counted)
    text = "\n".join(plain) if any(part.strip() for part in plain) else "\n".join(map(_of_html, html))
    if is_sealed or text.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
        return Extracted(**about, key=key, labels=labels, counted=counted, fault=ENCRYPTED)  # type: ignore[arg-type]
    text = own_words(text)
    return Extracted(**about, text=text, key=key, labels=labels, counted=counted, fault=None if text else NOTHING_NEW)  # type: ignore[arg-type]


def _bodies(message: Message, counted: Counter[str]) -> tuple[list[str], list[bytes]]:
    """(plain texts, HTML texts as UTF-8); all other leaves are counted. A message in a message is an attachment."""
    plain: list[str] = []
    html: list[bytes] = []
    waiting = [message]
    while waiting:
        part = waiting.pop()
        kind = part.get_content_type()
        payload = part.get_payload()
        if isinstance(payload, list) and kind.startswith("multipart/"):
            waiting += [inner for inner in reversed(payload) if isinstance(inner, Message)]
            continue
        is_attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
        data = b"" if isinstance(payload, list) else part.get_payload(decode=True)
        if kind in ("text/plain", "text/html") and not is_attached and isinstance(data, bytes):
            charset = part.get_content_charset()
            text, _ = decode(data, str(charset) if charset else None, kind == "text/html")
            if kind == "text/plain":
                plain.append(_unflowed(text) if (part.get_param("format") or "") == "flowed" else text)
            else:
                html.append(text.encode("utf-8", "replace"))
        else:
            main, _, sub = kind.partition("/")
            known = kind if sub in _KNOWN_TYPES else f"{main}/other" if main in _MAIN_TYPES else "unknown"
            counted[f"mail:attachment:{known}"] += 1
    return plain, html


def _of_html(html: bytes) -> str:
    """All that a reader sees, but for what mail programs wrap around the message that is answered."""
    cut = _HTML_QUOTE.search(html)
    return whole_text(scan(html[: cut.start()] if cut else html))


def own_words(text: str) -> str:
    """The text without quoted lines, their attributions, the signature, and what stands below a forward's or Outlook's line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept: list[str] = []
    for at, line in enumerate(lines):
        following = next((each for each in lines[at + 1 : at + 3] if each.strip()), "")
        if _FORWARD.match(line) or (_OUTLOOK.match(line) and _OUTLOOK_NEXT.match(following)) or _SIGNATURE.match(line):
            break
        if _QUOTED.match(line) or _is_attribution(line, lines[at + 1 : at + 2], lines[at - 1] if at else ""):
            continue
        kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _is_attribution(line: str, after: list[str], before: str) -> bool:
    """``On Monday Joe wrote:``, on one line or broken over two."""
    if len(line) > 300:
        return False
    broken = f"{line} {after[0]}" if after and len(after[0]) < 200 else ""
    ended = f"{before} {line}" if len(before) < 200 else ""
    if _ATTRIBUTION.match(line):
        return True
    return bool((_OPENED.match(line) and _ATTRIBUTION.match(broken)) or (_OPENED.match(before) and _ATTRIBUTION.match(ended)))


def _unflowed(text: str) -> str:
    """format=flowed (RFC 3676): a line that ends in a space goes on in the next."""
    out: list[str] = []
    goes_on = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if goes_on and not line.startswith((">", "-- ")):
            out[-1] += line
        else:
            out.append(line)
        goes_on = line.endswith(" ") and line != "-- " and not line.startswith(">")
    return "\n".join(out)


def _header(message: Message, name: str) -> str:
    """A header's words, decoded; "" where there is none or its encoding is broken."""
    value = message.get(name)
    if value is None:
        return ""
    try:
        parts = decode_header(str(value))
        return "".join(part if isinstance(part, str) else decode(part, charset, False)[0] for part, charset in parts)
    except _FAULTS:
        return str(value)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except _FAULTS:
        return None

"""How a record begins and what its header says, in WARC and in ARC.

ARC came before WARC (Internet Archive, 1996): a record is a line of URL, address, date, type and length, then as many bytes. It is handed
on as the WARC record that says the same, so that nothing after this knows of two formats. ARC has no record ids.

    WARC.length(b"WARC/1.0\\r\\nContent-Length: 5\\r\\n\\r\\n") -> 5
    ARC.to_warc(b"http://a.example/ 10.0.0.1 20080430204825 text/html 120\\n", body)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

_LENGTH = re.compile(rb"^content-length\s*:\s*(\d{1,18})\s*$", re.IGNORECASE | re.MULTILINE)
_ANY_LENGTH = re.compile(rb"^content-length[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)
# URL, address, date, then type and, in version 2, more fields; the length last. URLs may hold spaces; old crawlers left the type out,
# and the line of the file itself may have dashes for what was not known.
_ARC_LINE = (
    rb"([A-Za-z][A-Za-z0-9+.\-]{0,30}:[^\r\n]{0,8000}?) ([0-9A-Fa-f:.]{2,45}|-) (\d{12,18}|-) (?:([^\r\n]{0,2000}?) )?(\d{1,18})\r?\n"
)
_ARC_HEADER = re.compile(_ARC_LINE)


@final
@dataclass(frozen=True)
class Grammar:
    """``begins`` matches the beginning of a record, ``next`` one that follows on other bytes (group 1 begins there), ``ends`` the end of
    its header; ``closes`` what follows on a body even where the next record is damaged; ``probe_bytes`` show that one begins."""

    begins: re.Pattern[bytes]
    next: re.Pattern[bytes]
    ends: re.Pattern[bytes]
    closes: re.Pattern[bytes]
    probe_bytes: int
    length: Callable[[bytes], int | None]
    to_warc: Callable[[bytes, bytes], bytes]


def _warc_length(header: bytes) -> int | None:
    found = _LENGTH.search(header)
    return int(found.group(1)) if found else None


def _with_crlf(header: bytes, body: bytes) -> bytes:
    """Some old writers (ClueWeb09) end lines with LF alone, which FastWARC does not split. The length becomes that of the body which is
    there: FastWARC allocates what the header says before it looks, and a length of 10^18 aborts the process."""
    header = header if b"\r\n" in header else header.replace(b"\n", b"\r\n")
    return _ANY_LENGTH.sub(b"Content-Length: %d" % len(body), header) + body


def _arc_length(header: bytes) -> int | None:
    found = _ARC_HEADER.match(header)
    return int(found.group(5)) if found else None


def _arc_to_warc(header: bytes, body: bytes) -> bytes:
    """filedesc: is what warcinfo is; an answer of HTTP is told by its first bytes, as the line's type is that of the payload."""
    found = _ARC_HEADER.match(header)
    assert found is not None
    url, _, date, rest, _ = found.groups()
    told = ((rest or b"").split() or [b"application/octet-stream"])[0]
    if url.startswith(b"filedesc:"):
        kind, media_type = b"warcinfo", b"text/plain"
    elif body.startswith(b"HTTP/"):
        kind, media_type = b"response", b"application/http; msgtype=response"
    else:
        kind, media_type = b"resource", told if b"/" in told else b"application/octet-stream"
    day, time = date[:8], (date[8:] + b"00")[:6]
    iso = b"%s-%s-%sT%s:%s:%sZ" % (day[:4], day[4:6], day[6:8], time[:2], time[2:4], time[4:6])
    fields = {b"WARC-Type": kind, b"WARC-Target-URI": url.strip(), b"WARC-Date": iso, b"Content-Type": media_type}
    lines = [b"WARC/1.0", *(name + b": " + value for name, value in fields.items()), b"Content-Length: %d" % len(body), b"", b""]
    return b"\r\n".join(lines) + body


WARC = Grammar(
    begins=re.compile(rb"WARC/\d"),
    next=re.compile(rb"\n\r?\n(WARC/\d)"),
    ends=re.compile(rb"\r?\n\r?\n"),
    closes=re.compile(rb"\r\n\r\n"),
    probe_bytes=6,
    length=_warc_length,
    to_warc=_with_crlf,
)
ARC = Grammar(
    begins=_ARC_HEADER,
    next=re.compile(rb"\n(" + _ARC_LINE + rb")"),
    ends=re.compile(rb"\n"),
    closes=re.compile(rb"\r?\n(?=[A-Za-z][A-Za-z0-9+.\-]{0,30}:\S)"),
    probe_bytes=8192,
    length=_arc_length,
    to_warc=_arc_to_warc,
)

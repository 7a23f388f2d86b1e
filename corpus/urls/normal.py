"""One form for URLs that name the same page: what may differ between two links to it is taken away.

>>> normal("HTTP://www.Example.com:80/a/../b/index.html?utm_source=x&q=2&a=1#top")
'example.com/b?a=1&q=2'
"""

import posixpath
import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

# Parameters that say where a visitor came from or who he is, not what is shown: of analytics, mail and advertising, and sessions.
_TRACKING = re.compile(r"utm_\w+|gclid|dclid|fbclid|msclkid|yclid|mc_[ce]id|igshid|_ga|ref_src|phpsessid|jsessionid|sid|sessionid", re.I)
_INDEX = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$", re.I)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def normal(url: str) -> str | None:
    """Without scheme, ``www.``, default port, fragment, index file, trailing slash and tracking; parameters sorted. None: no host."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if not host:
        return None
    path = quote(
        unquote(re.sub(r";jsessionid=[^/?]*", "", parts.path, flags=re.I), errors="surrogateescape"),
        "/:@!$&'()*+,;=~",
        errors="surrogateescape",
    )
    path = _INDEX.sub("/", posixpath.normpath("/" + path.lstrip("/"))).rstrip("/")
    query = sorted((name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(name))
    shown = f":{port}" if port and port != _DEFAULT_PORTS.get(parts.scheme.lower()) else ""
    return host.removeprefix("www.") + shown + path + (f"?{urlencode(query)}" if query else "")

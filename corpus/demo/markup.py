"""Docstrings as HTML: the little of reStructuredText that shows in them, read line by line.

docstring_html("Return x.\\n\\nParameters\\n----------\\nx : int")
"""

import re
from html import escape

_UNDERLINE = re.compile(r"^([=\-~^*#])\1{2,}\s*$")
_BULLET = re.compile(r"^\s{0,8}(?:[-*•]|\d{1,2}[.)])\s+")
_ROLE = re.compile(r":[a-z:]{1,20}:`~?([^`]{1,200})`")
_CODE = re.compile(r"``([^`]{1,200})``|`([^`]{1,200})`_?")


def docstring_html(text: str) -> str:
    """Paragraphs, headings, lists and code blocks."""
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", text.expandtabs()):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        if len(lines) >= 2 and _UNDERLINE.match(lines[1]):
            parts.append(f"<h2>{_inline(lines[0].strip())}</h2>")
            lines = lines[2:]
        if not lines:
            continue
        indented = min(len(line) - len(line.lstrip()) for line in lines)
        if lines[0].lstrip().startswith((">>>", "$ ", "In [")) or (indented >= 4 and not re.search(r"[.!?:]\s*$", lines[-1])):
            parts.append(f"<pre>{escape(chr(10).join(line[indented:] for line in lines))}</pre>")
        elif sum(bool(_BULLET.match(line)) for line in lines) * 3 >= len(lines) and _BULLET.match(lines[0]):
            parts.append(_list(lines))
        else:
            parts.append(f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>")
    return "\n".join(parts)


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        if _BULLET.match(line) or not items:
            items.append(_BULLET.sub("", line).strip())
        else:
            items[-1] += " " + line.strip()
    return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"


def _inline(text: str) -> str:
    text = _ROLE.sub(r"\1", text)
    return _CODE.sub(lambda found: f"<code>{found.group(1) or found.group(2)}</code>", escape(text, quote=False))

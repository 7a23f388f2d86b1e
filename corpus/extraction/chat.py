"""A day of a chat's channel to text: JSON as Slack exports it (``channel/2024-05-01.json``), or a plain array of messages.

Speakers become A, B, C in the order in which they speak, so that who said what stays clear and who they are does not. What programs wrote
(joins, bots) is counted.

    read_chat(b'[{"user": "U1", "text": "Hi <@U2>"}]', "general/2024-05-01.json").text  # "A: Hi @B"
"""

import html
import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from corpus.extraction.extracted import BROKEN, Extracted, date_of

_USER, _TEXT, _TIME = (
    ("user", "author", "sender", "from", "username"),
    ("text", "content", "message", "body"),
    ("ts", "timestamp", "date", "time"),
)
_MAX_MESSAGES = 100_000
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")
_CHANNEL, _SPECIAL, _LINK = (
    re.compile(r"<#[A-Z0-9]+\|?([^>]*)>"),
    re.compile(r"<!(\w+)[^>]*>"),
    re.compile(r"<((?:https?|mailto)[^>|]*)(?:\|([^>]*))?>"),
)


def read_chat(data: bytes, name: str) -> Extracted:
    """The messages in their order, one a paragraph; the channel is the title, its day the date."""
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Extracted(fault=BROKEN)
    messages = told.get("messages") if isinstance(told, dict) else told
    if not isinstance(messages, list):
        return Extracted(fault=BROKEN)
    counted: Counter[str] = Counter()
    speakers: dict[str, str] = {}
    lines: list[str] = []
    for message in messages[:_MAX_MESSAGES]:
        if not isinstance(message, dict) or message.get("bot_id") or message.get("subtype") not in (None, "thread_broadcast", "me_message"):
            counted["chat:by_program"] += 1
            continue
        text = _plain(_first(message, _TEXT), speakers, _first(message, _USER))
        if text:
            lines.append(f"{_speaker(_first(message, _USER), speakers)}: {text}")
    folder, _, base = name.rpartition("/")
    day = re.search(r"(\d{4})-(\d\d)-(\d\d)", base)
    channel = folder.rpartition("/")[2] if day else base.removesuffix(".json")
    moments = [moment for message in messages[:1] if isinstance(message, dict) and (moment := _moment(_first(message, _TIME)))]
    return Extracted(
        text="\n".join(lines),
        title=channel or None,
        date=date_of(*day.groups()) if day else moments[0] if moments else None,
        labels={"channel": channel} if channel else {},
        counted=counted,
    )


def _first(message: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(message[name]) for name in names if isinstance(message.get(name), (str, int, float))), "")


def _speaker(user: str, speakers: dict[str, str]) -> str:
    """A … Z, then A2 …"""
    if user not in speakers:
        rounds, at = divmod(len(speakers), 26)
        speakers[user] = f"{chr(65 + at)}{rounds + 1 if rounds else ''}"
    return speakers[user]


def _plain(text: str, speakers: dict[str, str], user: str) -> str:
    """Slack's markup as words. The writer is named before those whom he mentions."""
    if not text.strip():
        return ""
    _speaker(user, speakers)
    text = _MENTION.sub(lambda found: f"@{_speaker(found.group(1), speakers)}", text)
    text = _CHANNEL.sub(lambda found: f"#{found.group(1)}", text)
    text = _SPECIAL.sub(lambda found: f"@{found.group(1)}", text)
    text = _LINK.sub(lambda found: found.group(2) or found.group(1).removeprefix("mailto:"), text)
    return html.unescape(text).strip()


def _moment(text: str) -> datetime | None:
    try:
        if re.fullmatch(r"\d{9,10}(\.\d{1,9})?", text):
            return datetime.fromtimestamp(int(text.partition(".")[0]), UTC)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""Addresses of machines: IPv4, IPv6, MAC; not version numbers, fingerprints or times of day.

find("from 93.184.216.34") -> [Span("ipv4", 5, 18)]
"""

import ipaddress
import re
from collections.abc import Iterator

from corpus.pii.kinds import IP_PRIVATE, IPV4, IPV6, MAC, Span

_IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9]|-[A-Za-z])")
_VERSION_BEFORE = re.compile(
    r"(?:versions?|release|rev(?:ision)?|\bver\.?|\bv\.?|section|chapter|rule|clause|article|exhibit|appendix|annex|schedule|figure|table|item|§|firmware|build|driver|sdk|patch|kernel|oid"
    r"|[A-Za-z]/)[\s:#=-]{0,3}v?$",
    re.IGNORECASE,
)
_ADDRESS_BEFORE = re.compile(
    r"(?:\bips?\b|address|server|dns|host|ping|from|client|gateway|resolver|://)\W{0,3}(?:\w{1,8}\W{1,3}){0,2}$", re.IGNORECASE
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,35}::|(?:[0-9A-Fa-f]{1,4}:){5})[0-9A-Fa-f:]{2,39}(?:(?<=:)(?:[0-9]{1,3}\.){3}[0-9]{1,3})?(?![\w:])"
)
_MAC = re.compile(r"(?<![\w:.-])[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:]|[.-]\w)")
_MAC_BEFORE = re.compile(r"(?:\bmac\b|hwaddr|ether|bssid|physical address)(?:\W{1,3}address)?\W{0,4}(?:is\W{1,2})?$", re.IGNORECASE)
_NEAR = 32


def ipv4_addresses(text: str, start: int, end: int) -> Iterator[Span]:
    """Four small numbers like 4.5.6.7 are a version unless a word before says that they are an address; 8.8.8.8 is one."""
    for found in _IPV4.finditer(text, start, end):
        before = max(0, found.start() - _NEAR), found.start()
        if _VERSION_BEFORE.search(text, *before):
            continue
        try:
            address = ipaddress.IPv4Address(found.group())
        except ValueError:
            continue
        parts = [int(part) for part in found.group().split(".")]
        if parts[0] == 0 or (parts[1:] == [0, 0, 0] and address.is_global):  # a network or a version: 0.9.2.1, 120.0.0.0
            continue
        if max(parts) < 10 and len(set(parts)) > 1 and not _ADDRESS_BEFORE.search(text, *before):
            continue
        yield Span(IPV4 if address.is_global else IP_PRIVATE, found.start(), found.end())


def ipv6_addresses(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _IPV6.finditer(text, start, end):
        try:
            address = ipaddress.IPv6Address(found.group())
        except ValueError:
            continue
        if not any(character.isdigit() for character in found.group()):  # std::, a::b, dead::beef
            continue
        yield Span(IPV6 if address.is_global else IP_PRIVATE, found.start(), found.end())


def mac_addresses(text: str, start: int, end: int) -> Iterator[Span]:
    """Six pairs. Without a letter among them (a time, a date) only after a word for it; never zeros, the broadcast, or a multicast."""
    for found in _MAC.finditer(text, start, end):
        octets = re.split("[:-]", found.group())
        if len(set(octets)) < 3 or int(octets[0], 16) & 1:
            continue
        digits_only = not re.search("[A-Fa-f]", found.group())
        if digits_only and not _MAC_BEFORE.search(text, max(0, found.start() - _NEAR), found.start()):
            continue
        yield Span(MAC, found.start(), found.end())

"""Personal data: what is found, what is not, what the policies make of it, and that hostile text costs no time."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import EnvironmentProblem
from corpus.pii import checksums
from corpus.pii.detect import find
from corpus.pii.policy import RedactPii
from corpus.pii.redact import redact_text, redact_url

# Reserved or published values only: RFC 2606 names, 555-01xx, the card and IBAN examples of their issuers and registries.
FOUND = {
    "email": ["anna@example.com", "a.b+c@mail.example.co.uk", "o'brien@example.org", "почта@пример.рф"],
    "phone": ["+1 202-555-0143", "(202) 555-0143", "+44 20 7946 0018", "Tel. 030 901820", "+49 30 901820"],
    "ipv4": ["8.8.8.8", "93.184.216.34"],
    "ipv6": ["2606:2800:220:1:248:1893:25c8:1946", "2001:4860:4860::8888"],
    "ip_private": ["192.168.0.1", "10.0.0.7", "127.0.0.1", "fe80::1ff:fe23:4567:890a"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606"],
    "card": ["4111 1111 1111 1111", "5555555555554444", "3782 822463 10005", "6011111111111117"],
    "national_id": ["078-05-1120", "111.444.777-35", "12345678Z", "11010519491231002X", "2 55 08 14 168 025 38", "RSSMRA85T10A562S"],
    "credential": [
        "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 9, "password = 'h7Gk29xQ!t'", "https://user:s3cr3tpass@example.com/x",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
    ],
}  # fmt: skip
NOT_FOUND = [
    "version 1.2.3.4 of the library", "v10.0.19041.1", "logo@2x.png", "at 12:34:56 on 2024-01-02", "the years 1914-1918 and 1939-1945",
    "ISBN 978-3-16-148410-0", "order 4111111111111112", "pi is 3.14159265358979", "std::vector a::b", "chapter 4.5.6.7",
    "1,234,567,890 people", "DE00 3704 0044 0532 0130 00", "password: your_password", "#12345678", "the number 2024 1112 1315",
    "@handle and user@localhost", "000-12-3456",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in FOUND.items() for value in values])
def test_found(kind: str, value: str) -> None:
    text = f"Before it {value} and after."
    spans = find(text)
    assert [span.kind for span in spans] == [kind], spans
    if kind != "credential":
        found = text[spans[0].start : spans[0].end]
        assert found in value or value in found


@pytest.mark.parametrize("text", NOT_FOUND)
def test_not_found(text: str) -> None:
    assert find(f"Here is {text} in a sentence.") == []


@given(st.text(alphabet=st.sampled_from("0123456789 .-:@/+abcDE\nя"), max_size=300))
def test_spans_are_disjoint_and_redaction_is_final(text: str) -> None:
    spans = find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in zip(spans[:-1], spans[1:], strict=True))
    once = redact_text(text)
    assert redact_text(once) == once


@pytest.mark.parametrize(
    "text",
    ["@" * 200_000, "a@" * 100_000, "1 " * 100_000, "1." * 100_000, ":" * 200_000, "password=" * 25_000, "-----BEGIN " * 20_000,
     "eyJ" * 60_000, "a" * 200_000 + "@", "(" * 200_000, "+1" * 100_000, "DE89 " * 40_000, "sk-" * 60_000],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_hostile_text_takes_time_in_proportion(text: str) -> None:
    """Twice the text, about twice the time: a quadratic scan would take four times as long (and minutes)."""

    def seconds(part: str) -> float:
        started = time.process_time()
        find(part)
        return time.process_time() - started

    half, whole = seconds(text[: len(text) // 2]), seconds(text)
    assert whole < max(1.0, 3.2 * half), f"{half:.2f} s for half of it, {whole:.2f} s for all"


def test_check_digits() -> None:
    draw = random.Random(3)
    for _ in range(200):
        digits = "".join(draw.choices("0123456789", k=15))
        valid = [check for check in "0123456789" if checksums.luhn(digits + check)]
        assert len(valid) == 1
    assert checksums.iban("GB82WEST12345698765432")
    assert not checksums.iban("GB82WEST12345698765433")
    assert not checksums.iban("GB82WEST1234569876543")


def redacted(text: str, **settings: object) -> tuple[str, dict[str, object]]:
    batch = RedactPii(**settings)(document.new_batch(id=["1"], text=[text], title=[text], url=["http://x.example/?mail=anna@example.com"]))  # type: ignore[arg-type]
    return batch["text"][0].as_py(), {name: batch[name][0].as_py() for name in batch.schema.names}


def test_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Write to anna@example.com or ANNA@example.com, or call +1 202-555-0143."
    kept, row = redacted(text, policy="tag")
    assert kept == text
    assert [(span["kind"], text[span["start"] : span["end"]]) for span in row["signals.pii_spans"]][0] == ("email", "anna@example.com")  # type: ignore[attr-defined]
    assert redacted(text)[0] == "Write to [EMAIL] or [EMAIL], or call [PHONE]."
    assert redacted(text, policy="mask")[0] == "Write to **************** or ****************, or call ** ************."
    monkeypatch.setenv("GRISTMILL_PII_KEY", "a key of sixteen characters or more")
    named = redacted(text, policy="pseudonym")[0]
    first, second = (part.split("]")[0] for part in named.split("[EMAIL:")[1:])
    assert first == second
    monkeypatch.setenv("GRISTMILL_PII_KEY", "another key of sixteen characters")
    assert redacted(text, policy="pseudonym")[0] != named
    monkeypatch.setenv("GRISTMILL_PII_KEY", "short")
    with pytest.raises(EnvironmentProblem, match="no key for pseudonyms"):
        redacted(text, policy="pseudonym")
    dropped = redacted(text, overrides={"phone": "drop"})[1]
    assert [fault["reason"] for fault in dropped["failed"]] == ["pii:found"]  # type: ignore[attr-defined]
    many = redacted(text, max_spans=2)[1]
    assert [(fault["reason"], fault["value"]) for fault in many["failed"]] == [("pii:too_many", 3.0)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("policy", ["tag", "mask", "placeholder", "drop"])
def test_title_and_url_are_redacted_under_every_policy(policy: str) -> None:
    _, row = redacted("Write to anna@example.com.", policy=policy)
    assert row["title"] == "Write to [EMAIL]."
    assert row["url"] == "http://x.example/?mail=[EMAIL]"
    assert row["signals.pii_email"] == 1


def test_urls() -> None:
    assert redact_url("http://example.com/?u=anna%40example.com&x=1") == "http://example.com/?u=[EMAIL]&x=1"
    assert redact_url("http://anna:secret@example.com/") == "http://[SECRET]@example.com/"
    assert redact_url("http://93.184.216.34/a/2024/01/02/page-1234567.html") == "http://93.184.216.34/a/2024/01/02/page-1234567.html"


def test_kinds_that_are_not_asked_for_stay() -> None:
    assert redacted("At 192.168.0.1 now.")[0] == "At 192.168.0.1 now."
    assert redacted("At 192.168.0.1 now.", kinds=("ip_private",))[0] == "At [IP] now."
    with pytest.raises(ValueError, match="unknown kind 'mail'"):
        RedactPii(kinds=("mail",))

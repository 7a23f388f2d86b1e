"""Messages that Python's email package wrote, as .eml, mbox and maildir: own words, threads, attachments, splits, damage."""

import mailbox
import random
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.mail import own_words, read_message
from corpus.sources.mail import MailSource
from corpus.sources.source import ReadLog, Split
from tests.corpus.sources.reading import accepts, input_file, outcomes, read

WORDS = ["Grüße", "the", "plan", "naïve", "отчёт", "meeting", "From", "budget", "tomorrow", "we", "should", "日程"]


def message(seed: int) -> tuple[EmailMessage, str]:
    """A message of one of five kinds, and its own words."""
    rng = random.Random(seed)
    body = "\n\n".join(" ".join(rng.choices(WORDS, k=rng.randint(3, 12))) + "." for _ in range(1 + seed % 3))
    made = EmailMessage()
    made["From"], made["To"] = f"Joe {seed} <joe{seed}@example.com>", "Ann <ann@example.com>"
    made["Subject"] = f"Bericht über № {seed}"
    made["Date"] = format_datetime(datetime(2022, 1, 1 + seed, 9, 30, tzinfo=UTC))
    made["Message-ID"] = f"<{seed}@example.com>"
    if seed % 2:
        made["References"] = "<0@example.com> <1@example.com>"
    kind = seed % 5
    if kind == 0:
        made.set_content(body)
    elif kind == 1:
        made.set_content(f"{body}\n\nOn Mon, 3 Jan 2022, Ann <ann@example.com> wrote:\n> old words\n>> older\n\n-- \nJoe\nTel.\n")
    elif kind == 2:
        made.set_content(f"<html><body><p>{body}</p></body></html>".replace("\n\n", "</p><p>"), subtype="html")
    elif kind == 3:
        made.set_content(body)
        made.add_alternative(f"<p>{body} in HTML</p>", subtype="html")
        made.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a.pdf")
        made.add_attachment("unseen", filename="note.txt")
    else:
        made.set_content(f"{body}\n\n-----Original Message-----\nFrom: Ann\nold words\n", cte="base64")
    return made, body


def test_twenty_messages_as_files_mbox_and_maildir(tmp_path: Path) -> None:
    box = mailbox.mbox(str(tmp_path / "all.mbox"))
    folder = mailbox.Maildir(str(tmp_path / "maildir"))
    expected = {}
    for seed in range(20):
        made, body = message(seed)
        expected[f"Bericht über № {seed}"] = body
        data = made.as_bytes()
        (tmp_path / f"{seed}.eml").write_bytes(data)
        framed = mailbox.mboxMessage(data)
        framed.set_from("joe@example.com", time_=(2022, 1, 1, 9, 30, 0, 5, 1, 0))
        box.add(framed)
        folder.add(data)
        assert accepts(tmp_path / f"{seed}.eml", MailSource())
        (row,), log = read(tmp_path / f"{seed}.eml", MailSource())
        assert row["text"] == body, seed
        assert row["title"] == f"Bericht über № {seed}"
        assert row["date"] == datetime(2022, 1, 1 + seed, 9, 30, tzinfo=UTC)
        assert log.records == ({"mail:attachment:application/pdf": 1, "mail:attachment:text/plain": 1} if seed % 5 == 3 else {})
    box.close()
    assert accepts(tmp_path / "all.mbox", MailSource())
    rows, _ = read(tmp_path / "all.mbox", MailSource())
    assert {row["title"]: row["text"] for row in rows} == expected
    threads = {dict(row["labels"])["thread"] for row in rows if int(row["title"].split()[-1]) % 2 or row["title"].endswith("№ 0")}
    assert len(threads) == 1  # those with references to the first, and the first
    assert "example.com" not in str([row["origin"] for row in rows])
    files = sorted((tmp_path / "maildir" / "new").iterdir())
    found = [read(path, MailSource(), name=f"new/{path.name}")[0][0] for path in files]
    assert MailSource().accepts(input_file(files[0], name=f"maildir/new/{files[0].name}"), files[0].read_bytes())
    assert {row["title"]: row["text"] for row in found} == expected


@given(st.integers(1, 900), st.lists(st.sampled_from(["From here on", "", "From me at 10:00", "word", ">From x"]), max_size=8))
def test_splits_of_an_mbox_change_nothing(tmp_path_factory: pytest.TempPathFactory, size: int, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("mbox") / "a.mbox"
    box = mailbox.mbox(str(path))
    for number in range(4):
        made = EmailMessage()
        made["Subject"], made["To"] = str(number), "a@example.com"
        made.set_content("\n".join([f"Body {number}", *lines]))
        framed = mailbox.mboxMessage(made.as_bytes())
        framed.set_from("joe@example.com", time_=(2022, 1, 1, 9, 30, 0, 5, 1, 0))
        box.add(framed)
    box.close()
    whole, _ = read(path, MailSource())
    assert [row["title"] for row in whole] == ["0", "1", "2", "3"]
    source = MailSource(split_bytes=size)
    parts = [
        row
        for start, end in source.splits(input_file(path))
        for batch in source.read(Split(input_file(path), start, end), ReadLog())
        for row in batch.to_pylist()
    ]
    assert parts == whole


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n\n> Shall we?\n", "Yes."),
        ("Ja.\n\nAm 03.01.2022 um 10:00 schrieb Ann <a@b.example>:\n> Sollen wir?\n", "Ja."),
        ("Ok.\n\nOn Mon, 3 Jan 2022 at 10:00, Ann Somebody\n<ann@example.com> wrote:\n> x\n", "Ok."),
        ("Above.\n> quoted\nBelow.", "Above.\nBelow."),
        ("See below.\n\nFrom: Ann\nSent: Monday\nTo: Joe\n\nOld.", "See below."),
        ("Text.\n-- \nJoe", "Text."),
        ("From: the top of the hill\nit looked far.", "From: the top of the hill\nit looked far."),
        ("On Monday we wrote:\nnothing of note.", "nothing of note."),
        ("a -- b\n--- c", "a -- b\n--- c"),
    ],
)
def test_own_words(text: str, own: str) -> None:
    assert own_words(text) == own


def test_a_sentence_that_begins_like_a_message(tmp_path: Path) -> None:
    """Some writers do not mark it: a day or a header tells a message from a sentence. Dates are those of four mail programs."""
    dates = ["Thu Jan  1 10:00:00 2026", "Thu, 01 Jan 2026 10:00:00 +0000", "Thu Jan 01 10:00 2026 +0100", "2026-01-01 10:00:00"]
    body = "One.\n\nFrom here on it was clear at 10:30 that all\nwould go well."
    path = tmp_path / "a.mbox"
    path.write_text("".join(f"From a@x.example {date}\nSubject: {at}\nTo: b@x.example\n\n{body}\n\n" for at, date in enumerate(dates)))
    assert [(row["title"], row["text"]) for row in read(path, MailSource())[0]] == [(str(at), body) for at in range(4)]


def test_what_is_refused() -> None:
    sealed = b"Subject: x\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nVersion: 1\n--b--\n"
    nested = b"Subject: x\n" + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(300))
    cases = {"mail:encrypted": sealed, "mail:too_nested": nested, "mail:nothing_new": b"Subject: x\n\n> only quoted\n"}
    assert {code: getattr(read_message(data).fault, "code", "") for code, data in cases.items()} == {code: code for code in cases}
    pgp = b"Subject: x\n\n-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----\n"
    assert read_message(pgp).fault == read_message(sealed).fault


def test_a_large_message_is_counted_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    one = "From joe@example.com Sat Jan  1 09:30:00 2022\nSubject: {}\nTo: x@example.com\n\n{}\n\n"
    path.write_text(one.format("small", "Hello.") + one.format("large", "word " * 2000) + one.format("last", "Bye."))
    rows, _ = read(path, MailSource(max_document_bytes=1000))
    assert outcomes(rows) == ["ok", "file:too_large", "ok"]


@given(st.integers(0, 19), st.data())
def test_damaged_messages_never_raise(seed: int, data: st.DataObject) -> None:
    whole = message(seed)[0].as_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(max_size=20) | st.sampled_from([b"charset=x", b"=?utf-8?b?/?=", b"multipart/mixed", b"\nContent-Type: t/"]))
    read_message(whole[:at] + junk + whole[at + data.draw(st.integers(0, 30)) :])
    read_message(junk)

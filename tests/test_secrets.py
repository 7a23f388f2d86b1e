"""800 planted pieces of personal data, and no output that holds one: documents, ledger, rejected, report, card, what is printed."""

import json
import random
import re
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from corpus.pii import checksums
from tests.golden import page, warc
from tests.processes import gristmill
from tests.road import assert_accounted

PROSE = "The miller walked along the river in the morning, and he counted the geese that were sleeping on the cold bank. "


def secrets() -> list[str]:
    """100 each of eight kinds, all in reserved ranges or made up."""
    draw = random.Random(7)
    made = []
    for number in range(100):
        name = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9))
        made.append(f"{name}{number}@example.com")
        made.append(f"+1 202-555-01{number:02d}" if number < 100 else "")
        body = "411111" + f"{draw.randrange(10**9):09d}"
        made.append(body + next(check for check in "0123456789" if checksums.luhn(body + check)))
        account = f"{draw.randrange(10**18):018d}"
        made.append(next(iban for two in range(2, 99) if checksums.iban(iban := f"DE{two:02d}{account}")))
        made.append(":".join(["00", *(f"{draw.randrange(256):02x}" for _ in range(4)), f"a{number % 10}"]))
        person = f"{100 + number}.{draw.randrange(1000):03d}.{draw.randrange(1000):03d}-"
        made.append(next(person + f"{two:02d}" for two in range(100) if checksums.cpf(re.sub(r"\D", "", person) + f"{two:02d}")))
        made.append(f"{name}{number} (at) example (dot) org")
        made.append("ghp_" + "".join(draw.choices("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", k=36)))
    return made


def everything(folder: Path) -> str:
    """All values of all files in the folder as one text."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            parts.append(json.dumps(ds.dataset(path).to_table().to_pylist(), default=str, ensure_ascii=False))
        elif path.is_file():
            parts.append(path.read_text())
    return "\n".join(parts)


@pytest.mark.parametrize("recipe", ["web", "extract"])
def test_no_output_holds_a_secret(tmp_path: Path, recipe: str) -> None:
    planted = secrets()
    assert len(set(planted)) == 800
    pages = []
    for number, secret in enumerate(planted):
        where = number % 5
        title = f"Page of {secret}" if where == 0 else f"Page {number}"
        query = f"?contact={secret.replace('+', '%2B').replace(' ', '%20').replace('@', '%40')}" if where == 1 else ""
        link = f"<link rel=canonical href='http://a.example/{number}{query}'>" if query else ""
        text = f"Write to {secret} for more. " if where > 1 else ""
        words = " ".join(f"{PROSE}Number {at} of {number} is not like number {at * number}." for at in range(8 if where < 4 else 1))
        body = f"<html><head><title>{title}</title>{link}</head><body><article><p>{text}{words}</p></article></body></html>"
        pages.append(page(f"http://a.example/{number}{query}", body))
    (tmp_path / "a.warc.gz").write_bytes(warc(pages)[0])
    arguments = ["curate", recipe, "--input", tmp_path / "a.warc.gz", "--output", tmp_path / "corpus"]
    ran = gristmill(*arguments, "--set", "output.keep_rejected=true", "--set", "warc.max_record_bytes=1000000")
    assert ran.returncode == 0, ran.stderr
    assert_accounted(tmp_path / "corpus")
    if recipe == "extract":  # it redacts nothing: the documents are what the pages say, and all else is silent
        for folder in ("documents", "rejected"):
            for path in (tmp_path / "corpus" / folder).glob("*"):
                path.unlink()
    told = everything(tmp_path / "corpus") + ran.stdout + ran.stderr
    for secret in planted:
        assert secret not in told, secret
        assert secret.replace("@", "%40") not in told
        assert secret.replace("+", "%2B").replace(" ", "%20") not in told


def test_the_search_would_find_one(tmp_path: Path) -> None:
    """The same search over the pages themselves finds all 800."""
    (tmp_path / "x.txt").write_text("\n".join(secrets()))
    assert all(secret in everything(tmp_path) for secret in secrets())

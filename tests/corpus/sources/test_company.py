"""CSV, text folders, chats and access labels: what a company's own data is made of beside office files and mail."""

import csv
import gzip
import io
import json
import random
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import InputError
from corpus.recipe import RecipeError, load
from corpus.rights import RequireLabels
from corpus.sources.delimited import CsvSource
from corpus.sources.listing import examine, find
from corpus.sources.tables import JsonlSource, ParquetSource
from corpus.sources.text_files import ChatSource, TextFilesSource
from tests.corpus.sources.reading import accepts, outcomes, read

FIELDS = ["id", "text", "secrecy", "keep"]
SOURCE = CsvSource(label_fields={"confidential": "secrecy", "retention": "keep"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("lineterminator", ["\r\n", "\n"])
def test_as_the_csv_module_writes_them(tmp_path: Path, delimiter: str, encoding: str, lineterminator: str) -> None:
    """Thirty-two dialects: quotes, delimiters and newlines in fields."""
    rows = [
        ["1", 'He said "no",\nthen; left\tfor\r\nMünchen | Köln.', "no", "2030"],
        ["2", "Plain über alles gesehen.", "", "x"],
        ["3", "", "yes", ""],
    ]
    path = tmp_path / "a.csv"
    with path.open("w", encoding=encoding, newline="") as out:
        writer = csv.writer(out, delimiter=delimiter, lineterminator=lineterminator)
        writer.writerows([FIELDS, *rows])
    assert accepts(path, SOURCE)
    found, log = read(path, SOURCE)
    assert [row["text"] for row in found] == [rows[0][1], rows[1][1], None]
    assert [row["labels"] for row in found] == [
        [("confidential", "no"), ("retention", "2030")], [("retention", "x")], [("confidential", "yes")],
    ]  # fmt: skip
    assert outcomes(found) == ["ok", "ok", "table:no_text"]
    assert not log.damages


def test_damage_costs_a_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    body = (
        'id,text\n1,good\n2,too,many\n3,"open quote\n4,after\n'
        + "".join(f"{at},line {at}\n" for at in range(5, 9))
        + "9,"
        + "x" * 3000
        + "\n10,end\n"
    )
    path.write_bytes(gzip.compress(body.encode()))
    rows, log = read(path, CsvSource(max_document_bytes=1000))
    assert [row["origin"]["record_id"] for row in rows if row["text"]] == ["1", "4", "5", "6", "7", "8", "10"]
    assert outcomes([row for row in rows if not row["text"]]) == ["table:too_large"]
    assert [(damage.what, damage.offset) for damage in log.damages] == [
        ("csv:wrong_number_of_fields", body.index("2,too")), ("csv:open_quote", body.index("3,")),
    ]  # fmt: skip
    with pytest.raises(InputError, match="no column 'body'"):
        read(path, CsvSource(text_field="body"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_as_excel_writes_them(tmp_path: Path, encoding: str) -> None:
    """A first line that names the delimiter, and lines that end with CR alone."""
    path = tmp_path / "a.csv"
    path.write_bytes('sep=;\r\nid;text\r\n1;one, two\r\n2;"three\nfour"\r\n'.encode(encoding))
    assert [row["text"] for row in read(path, CsvSource())[0]] == ["one, two", "three\nfour"]
    path.write_bytes('id;text\r1;one, two\r2;"three\nfour"\r'.encode(encoding))
    assert [row["text"] for row in read(path, CsvSource())[0]] == ["one, two", "three\nfour"]


def test_a_table_that_is_not_meant_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    """Prices beside notes: what the other files hold is read."""
    (tmp_path / "prices.csv").write_text("item,price\n1,2\n")
    (tmp_path / "notes.csv").write_text("id,text\n1,words\n")
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "prices.parquet")
    sources = load("company").sources
    found = {entry.file.file: (entry.source, entry.why) for entry in (examine(file, sources) for file in find([str(tmp_path)]))}
    names = [source.name for source in sources]  # type: ignore[attr-defined]
    assert found == {
        "notes.csv": (names.index("csv"), ""),
        "prices.csv": (-1, "no column 'text': it has item, price; set csv.text_field to the one with the text"),
        "prices.parquet": (-1, "no column 'text': it has body; set parquet.text_field to the one with the text"),
    }


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=8))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]]) -> None:
    """What the csv module reads back is what we read, record by record."""
    clean = [[text.encode("utf-8", "replace").decode().replace("\0", "") for text in record] for record in records]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["text", "other"], *clean])
    with path.open(encoding="utf-8", newline="") as back:
        expected = [fields[0] for fields in csv.reader(back)][1:]
    found, _ = read(path, CsvSource(delimiter=","))
    assert [row["text"] or "" for row in found] == [text if text.strip() else "" for text in expected]


@given(st.binary(max_size=300))
def test_damaged_tables_never_raise(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(b"id,text\n1,x\n" + junk)
    read(path, CsvSource(encoding="utf-8"))


def test_a_column_map_for_jsonl_and_parquet(tmp_path: Path) -> None:
    record = {"nr": "7", "body": "Words.", "link": "http://a.example/", "lang": "de", "terms": "CC0-1.0", "secrecy": "low", "keep": 2030}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    pq.write_table(pa.table({name: [value] for name, value in record.items()}), tmp_path / "a.parquet")
    mapped = {
        "text_field": "body", "key_field": "nr", "url_field": "link", "language_field": "lang", "license_field": "terms",
        "label_fields": {"confidential": "secrecy", "retention": "keep"},
    }  # fmt: skip
    for name, source in (("a.jsonl", JsonlSource(**mapped)), ("a.parquet", ParquetSource(**mapped))):
        (row,), _ = read(tmp_path / name, source)
        assert (row["text"], row["url"], row["language"], row["license"]) == ("Words.", "http://a.example/", "de", "CC0-1.0")
        assert dict(row["labels"]) == {"confidential": "low", "retention": "2030"}
        assert row["origin"]["record_id"] == "7"


def test_an_empty_label_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "labels": {"confidential": null, "retention": " ", "unit": "hr"}}')
    assert read(tmp_path / "a.jsonl", JsonlSource())[0][0]["labels"] == [("unit", "hr")]


def test_rows_without_a_label_are_refused() -> None:
    labels = [
        [("confidential", "no"), ("retention", "2030")],
        [("confidential", "no")],
        [("confidential", "yes"), ("retention", "x")],
        None,
    ]
    batch = document.new_batch(id=list("abcd"), text=list("abcd"), labels=labels)
    out = RequireLabels(required=("retention",), allowed={"confidential": ("no", "internal")})(batch)
    assert [[each["reason"] for each in failed] for failed in out["failed"].to_pylist()] == [
        [], ["labels:missing"], ["labels:not_allowed"], ["labels:missing"],
    ]  # fmt: skip


def test_twenty_text_files_of_a_kind(tmp_path: Path) -> None:
    for seed in range(20):
        rng = random.Random(seed)
        body = "\n\n".join(" ".join(rng.choices(["Übung", "macht", "den", "Meister", "und", "mehr"], k=8)) + "." for _ in range(4))
        encoding = ("utf-8", "utf-16", "cp1252", "utf-8-sig")[seed % 4]
        (tmp_path / f"{seed}.txt").write_bytes(body.replace("\n", "\r\n").encode(encoding))
        (tmp_path / f"{seed}.md").write_text(
            f"---\ntitle: T{seed}\ndate: 2020-02-0{1 + seed % 9}\nlicense: CC-BY-4.0\n---\n# Head\n\n{body}\n"
        )
        (row,), _ = read(tmp_path / f"{seed}.txt", TextFilesSource())
        assert row["text"] == body, seed
        (row,), _ = read(tmp_path / f"{seed}.md", TextFilesSource())
        assert row["text"] == f"# Head\n\n{body}"
        assert (row["title"], row["license"], row["date"]) == (f"T{seed}", "CC-BY-4.0", datetime(2020, 2, 1 + seed % 9, tzinfo=UTC))
    (tmp_path / "x.txt").write_bytes(bytes(range(256)) * 10)
    assert outcomes(read(tmp_path / "x.txt", TextFilesSource())[0]) == ["text:not_text"]
    assert not accepts(tmp_path / "x.txt", CsvSource())


def test_a_page_in_a_folder(tmp_path: Path) -> None:
    menu = "".join(f'<li><a href="/{at}">Menu {at}</a></li>' for at in range(12))
    prose = "".join(f"<p>Sentence {at} of the article says something of its own, with a comma and an end.</p>" for at in range(8))
    (tmp_path / "a.html").write_text(
        f"<html lang='en'><head><title>Page</title></head><body><ul>{menu}</ul><article>{prose}</article></body></html>"
    )
    (row,), _ = read(tmp_path / "a.html", TextFilesSource())
    assert row["title"] == "Page"
    assert row["language"] == "en"
    assert "Sentence 7 of the article" in row["text"]
    assert "Menu 5" not in row["text"]


def slack(seed: int) -> tuple[list[dict[str, object]], str]:
    """A day in a channel: two speakers, a mention, a link, a bot, a join."""
    first, second = f"U{seed:04d}A", f"U{seed:04d}B"
    messages: list[dict[str, object]] = [
        {"type": "message", "subtype": "channel_join", "user": first, "text": f"<@{first}> has joined"},
        {"type": "message", "user": first, "text": f"Is it {seed} &amp; more, <@{second}>?", "ts": "1714550400.0001"},
        {"type": "message", "user": second, "text": "See <https://a.example/x|the page> in <#C1|general> <!here>", "ts": "1714550401.0"},
        {"type": "message", "bot_id": "B1", "text": "Build failed"},
        {"type": "message", "user": first, "text": "Thanks", "ts": "1714550402.0"},
    ]
    return messages, f"A: Is it {seed} & more, @B?\nB: See the page in #general @here\nA: Thanks"


def test_twenty_days_of_a_slack_export(tmp_path: Path) -> None:
    expected = {}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("channels.json", "[]")
        archive.writestr("users.json", json.dumps([{"id": "U1", "name": "joe"}]))
        for seed in range(20):
            messages, expected[f"2024-05-{1 + seed:02d}"] = slack(seed)
            archive.writestr(f"general/2024-05-{1 + seed:02d}.json", json.dumps(messages))
    path = tmp_path / "export.zip"
    path.write_bytes(packed.getvalue())
    assert accepts(path, ChatSource())
    rows, log = read(path, ChatSource())
    assert {str(row["date"].date()): row["text"] for row in rows} == expected
    assert {row["title"] for row in rows} == {"general"}
    assert log.records == {"chat:index": 2, "chat:by_program": 40}
    (tmp_path / "plain.json").write_text(json.dumps([{"author": "joe", "message": "Hi"}, {"author": "ann", "message": "Ho"}]))
    assert accepts(tmp_path / "plain.json", ChatSource())
    assert read(tmp_path / "plain.json", ChatSource())[0][0]["text"] == "A: Hi\nB: Ho"


@given(st.recursive(st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
    st.sampled_from(["user", "text", "ts", "subtype", "messages"]), inner), max_leaves=12))  # fmt: skip
def test_chats_of_any_shape(tmp_path_factory: pytest.TempPathFactory, told: object) -> None:
    path = tmp_path_factory.mktemp("chat") / "2024-05-01.json"
    path.write_text(json.dumps(told))
    read(path, ChatSource())


def test_bad_settings_stop_the_recipe() -> None:
    for override in ("csv.delimiter=ab", "csv.encoding=klingon"):
        with pytest.raises(RecipeError):
            load("company", overrides=[override])

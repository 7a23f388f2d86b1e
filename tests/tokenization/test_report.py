"""The report of tokenizers: its figures by hand, and the page."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from corpus.errors import InputError
from corpus.storage import locate
from jobs.tokenizer_report import command
from tests.road import corpus_of
from tests.tokenization.test_training_options import texts
from tokenization.report import RARE, costs, measure, use
from tokenization.sample import Text, held_out
from tokenization.tokenizer import Tokenizer, load
from tokenization.train import train_tokenizer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus_of(tmp_path_factory.mktemp("report") / "corpus", texts(200))


@pytest.fixture(scope="module")
def tokenizer(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("report") / "t"
    train_tokenizer(str(corpus), folder, kind="bytes", vocabulary=350, reserve=5)
    return load(folder)


def test_costs_by_hand(tokenizer: Tokenizer) -> None:
    """Two words that no token holds whole; of an unmet letter of two bytes each byte is a token."""
    found = costs(tokenizer, [Text("eng", "web", "qz qz"), Text("gre", None, "\u03b1\u03b2")])
    english, greek = found["language"]
    assert (english["group"], english["words"], english["bytes"]) == ("eng", 2, 5)
    assert english["tokens"] == len(tokenizer.encode("qz qz"))
    assert english["continued_share"] == 1.0
    assert (greek["tokens"], greek["byte_share"], greek["tokens_per_word"], greek["unknown_share"]) == (4, 1.0, 4.0, 0.0)
    assert [row["group"] for row in found["source"]] == ["web", "unknown"]
    assert found["all"]["bytes"] == 9


def test_use_by_hand(tokenizer: Tokenizer) -> None:
    norms = np.arange(350, 0, -1).astype(float)
    found = use(tokenizer, ["aaa b"], norms)
    ids = tokenizer.encode("aaa b")
    judged = 350 - 4 - 5 - 128
    assert (found["judged"], found["tokens"]) == (judged, len(ids))
    assert found["unused"] == judged - len(set(ids.tolist()))
    assert found["rare"] == judged, f"all are met fewer than {RARE} times"
    assert sum(found["histogram"]["counts"]) == judged
    assert found["untrained"][0]["id"] == 349
    assert found["untrained"][0]["piece"] == tokenizer.pieces()[349]


def test_parity(tokenizer: Tokenizer, corpus: Path) -> None:
    found = measure("t", tokenizer, locate(str(corpus)))
    base = found["language"][0]
    assert base["parity"] == 1.0
    for row in found["language"]:
        assert row["parity"] == pytest.approx(row["tokens_per_word"] / base["tokens_per_word"], abs=1e-3)
    assert found["all"]["documents"] == len([*held_out(locate(str(corpus)))]) == 20


def test_the_page_of_three_sizes(corpus: Path, tmp_path: Path) -> None:
    sizes = ["--vocab-size", "300", "--vocab-size", "330", "--vocab-size", "360"]
    ran = CliRunner().invoke(command, [str(corpus), *sizes, "--kind", "bytes", "--output", str(tmp_path / "r")])
    assert ran.exit_code == 0, ran.output
    told = json.loads((tmp_path / "r" / "tokenizers.json").read_bytes())["tokenizers"]
    assert [each["vocabulary"] for each in told] == [300, 330, 360]
    costs_each = [each["all"]["bytes_per_token"] for each in told]
    assert costs_each == sorted(costs_each), "more ids, longer tokens"
    page = (tmp_path / "r" / "tokenizers.html").read_text()
    assert page.count("<svg") == 6
    assert "<script" not in page
    again = CliRunner().invoke(command, [str(corpus), *sizes, "--kind", "bytes", "--output", str(tmp_path / "r")])
    assert (again.exit_code, (tmp_path / "r" / "tokenizers.html").read_text()) == (0, page)


def test_what_cannot_be_measured(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trained with another tokenizer"):
        measure("t", tokenizer, locate(str(tmp_path)), norms=np.ones(7))
    whole = corpus_of(tmp_path / "c", texts(5), held_out=0)
    with pytest.raises(InputError, match="nothing is held out"):
        measure("t", tokenizer, locate(str(whole)))
    assert "give --tokenizer or --vocab-size" in CliRunner().invoke(command, [str(whole), "--output", str(tmp_path / "r")]).output

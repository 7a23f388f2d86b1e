"""How often language identification is right, by script and length, alone and with the second opinion; by `make bench`.

    python -m tests.benchmarks.run lid
    python -m tests.benchmarks.lid --train     # makes the profiles of the second opinion again, from the Declaration

On the Declaration of Human Rights, a paragraph at a time, and on Tatoeba's sentences. lid.176 was trained on Tatoeba, Wikipedia and
SETimes: its figures on Tatoeba are flattered by sentences that it has seen, and parts of the Declaration stand in Wikipedia; neither says
how it does on web pages. The profiles of the second opinion were learned from the Declaration: only Tatoeba says something of them.
Languages that lid.176 has no label for are left out. Besides: the mean length of a word in the Declaration, which `gopher_quality`
scales by.
"""

import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from corpus.kernels.words import dominant_scripts, words
from corpus.language.identify import IdentifyLanguage, identify
from corpus.language.profiles import FOLDER, NAME, Profiles
from tests.benchmarks.rows import Row, row
from tests.benchmarks.sides import outside
from tests.conftest import REPOSITORY

# ISO 639-3 -> the label of lid.176
_PAIRS = """
afr:af als:sq amh:am arb:ar ara:ar ast:ast azj_latn:az aze:az bel:be ben:bn bos_latn:bs bre:br bul:bg cat:ca ceb:ceb ces:cs
cmn_hans:zh cmn:zh cym:cy dan:da deu:de ell_monotonic:el ell:el eng:en epo:eo est:et eus:eu fin:fi fra:fr gla:gd gle:ga glg:gl
guj:gu heb:he hin:hi hrv:hr hsb:hsb hun:hu hye:hy ido:io ina:ia ind:id isl:is ita:it jav:jv jpn:ja kan:kn kat:ka kaz:kk khm:km
kir:ky kor:ko lao:lo lat:la lav:lv lvs:lv lit:lt ltz:lb mal:ml mar:mr mkd:mk khk:mn mon:mn mya:my nep:ne nld:nl nno:nn nob:no pan:pa
pes_1:fa pes:fa pol:pl por_PT:pt por:pt ron:ro rus:ru san:sa slk:sk slv:sl spa:es srp_cyrl:sr srp:sr sun:su swe:sv swh:sw tam:ta
tat:tt tel:te tgk:tg tgl:tl tha:th tur:tr uig_arab:ug uig:ug ukr:uk urd:ur uzn_latn:uz uzb:uz vie:vi war:war wln:wa ydd:yi yid:yi
yor:yo
"""
CODES = {code: label for code, _, label in (pair.partition(":") for pair in _PAIRS.split())}
LENGTHS = (20, 50, 100, 200)  # characters
SURE = IdentifyLanguage().min_score


def measure(rounds: int) -> list[Row]:
    """Once, whatever ``rounds``: nothing is timed."""
    data = outside("lid")
    rows = [*measured("declaration", list(declaration(data))), *measured("tatoeba", list(tatoeba(data)))]
    english = length(data, "eng")
    for code, label in sorted(CODES.items()):
        if (data / "nltk_data__udhr2" / f"{code}.txt").exists():
            mean = length(data, code)
            rows.append(row(f"lid.length.{code}", f"mean length of a word: {label}", "characters", mean, to_english=mean / english))
    return rows


def measured(name: str, texts: list[tuple[str, str]]) -> list[Row]:
    """Accuracy of the whole, by script and by length; the ten most frequent confusions."""
    scripts = dominant_scripts(pa.array([text for _, text in texts], pa.string())).to_pylist()
    right: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    confused: Counter[str] = Counter()
    sure: list[list[bool]] = [[], []]
    plain = [text.replace("\n", " ") for _, text in texts]
    for (label, text), script, *both in zip(texts, scripts, identify(plain, short_characters=200)[0], identify(plain)[0], strict=True):
        best, alone = (told[0][0] if told else "none" for told in both)
        size = next((f"under {limit:3d}" for limit in LENGTHS if len(text) < limit), f"from {LENGTHS[-1]}")
        for group in ("all", f"script {script}", f"{size} characters"):
            right[group].append((best == label, alone == label))
        confused[f"{label} taken for {best}"] += best != label
        for each, labels in zip(sure, both, strict=True):
            if labels and labels[0][1] >= SURE:
                each.append(labels[0][0] == label)
    rows = []
    for group, told in sorted(right.items()):
        own, alone = (sum(each) / len(told) for each in zip(*told, strict=True))
        what = f"language told rightly, {name}, {group}"
        rows.append(row(f"lid.{name}.{group}", what, "accuracy", own, peer_name="lid.176 alone", peer=alone, texts=len(told)))
    shares, precisions = ([count(each) for each in sure] for count in (len, lambda each: sum(each) / max(1, len(each))))
    what = f"language told rightly, {name}, score {SURE} and more"
    told_share = {"share": shares[0] / len(texts), "peer_share": shares[1] / len(texts)}
    rows.append(row(f"lid.{name}.sure", what, "accuracy", precisions[0], peer_name="lid.176 alone", peer=precisions[1], **told_share))
    return rows + [row(f"lid.{name}.{pair}", f"{name}: {pair}", "texts", count) for pair, count in confused.most_common(10)]


def declaration(data: Path) -> Iterator[tuple[str, str]]:
    for code, label in sorted(CODES.items()):
        path = data / "nltk_data__udhr2" / f"{code}.txt"
        if path.exists():
            yield from ((label, line.strip()) for line in read(path).splitlines() if len(line.strip()) > 5)


def tatoeba(data: Path) -> Iterator[tuple[str, str]]:
    for code, label in sorted(CODES.items()):
        path = data / "facebookresearch__LASER" / "tatoeba" / "v1" / f"tatoeba.{code}-eng.{code}"
        if path.exists():
            yield from ((label, line.strip()) for line in read(path).splitlines() if line.strip())


def length(data: Path, code: str) -> float:
    """Characters a word."""
    text = read(data / "nltk_data__udhr2" / f"{code}.txt")
    spans, utf8 = words(pa.array([text]))[0].as_py(), text.encode()
    found = [utf8[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]
    return sum(map(len, found)) / len(found)


def read(path: Path) -> str:
    return unicodedata.normalize("NFC", path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    assert sys.argv[1:] == ["--train"], "run it by tests.benchmarks.run, or with --train"
    place = REPOSITORY / FOLDER.replace(".", "/") / NAME
    place.write_bytes(Profiles.of(declaration(outside("lid"))).to_bytes())
    print(f"-> {place}")

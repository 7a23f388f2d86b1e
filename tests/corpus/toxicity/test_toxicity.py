"""Toxicity: words in senses that insult nobody, sentences removed one by one, and whether a classifier's probabilities can be believed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.quality.training import calibration, train_classifier
from corpus.toxicity.classifier import ToxicSentences, sentences
from corpus.toxicity.wordlist import ToxicWords
from tests.corpus.test_steps import reasons, run

INNOCENT = [
    "The bus to Scunthorpe, Penistone and Clitheroe leaves from Essex.", "Dick Cheney met Dick Clark.",
    "Herman Melville wrote Moby Dick.",
    "The great tit and the blue tit come to the bird feeder.",
    "A Maine coon is a large cat breed.", "The rooster, or cock, guards the hen.",
    "Patients with cancer of the anus need surgery.", "The doctor examined the penis and the scrotum for infection.",
    "He was convicted of rape and sentenced to prison.", "Victims of incest testified in court.",
    "Pussy willow grows in the marsh.",
    "The bitch had a litter of six puppies.", "Bondage in Egypt is a theme of the Bible's Exodus.",
    "The village of Wank lies below the mountain.",
    
    "The band played hardcore punk.", "She won the snatch in Olympic weightlifting.", "Humans have XX or XY chromosomes.",
    "The ass and the ox stood in the barn.",
    "A gallery of nude paintings by the artist.",
    "Cock Lane is a street in London.",
    "Sexual reproduction in mammals and other animals.", "The swastika as a symbol in Nazi propaganda and history.",
]  # fmt: skip
TOXIC = [
    "You are a stupid cunt.", "What a dick you are!", "Shut up, bitch.", "Kiss my ass, asshole.", "Fuck this shit.",
    "She is such a slut and whore.",
    
    "Suck my cock.", "I will rape you.", "Stupid faggot.", "You tit, you absolute twat.", "Go wank somewhere else.",
    "Hot naked sex porn xxx.",
    "Nice tits, baby.", "You are a dirty nigger.", "You dumb spastic.", "Look at that pussy.",
]  # fmt: skip


@pytest.mark.parametrize("text", INNOCENT)
def test_words_in_another_sense_do_not_count(text: str) -> None:
    assert run(ToxicWords(), text)["signals.toxic_words"].to_pylist() == [0]


@pytest.mark.parametrize("text", TOXIC)
def test_abuse_counts(text: str) -> None:
    assert run(ToxicWords(), text)["signals.toxic_words"][0].as_py() > 0


def test_the_guards_can_be_taken_off() -> None:
    assert run(ToxicWords(guard_senses=False), "The great tit is a bird.")["signals.toxic_words"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello there. You are bad! Version 1.2 is out.\n\nNew.", ["Hello there. ", "You are bad! ", "Version 1.2 is out.\n\n", "New."]),
        ("你好。坏人！好", ["你好。", "坏人！", "好"]),
        ('He said "no." And left', ['He said "no." ', "And left"]),
        ("", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert sentences(text) == pieces


@given(st.text(alphabet=st.sampled_from('ab .!?。\n"…'), max_size=80))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_toxic_sentences_go_and_the_rest_stays(tmp_path: Path) -> None:
    good = [("good", f"The miller walked along the river and counted {number} geese.") for number in range(100)]
    bad = [("toxic", f"you horrible stupid idiot number {number} get lost loser") for number in range(100)]
    result = train_classifier([*good, *bad], tmp_path / "m.bin")
    assert json.loads((tmp_path / "m.json").read_text())["calibration"]["toxic"]["brier"] == result.calibration["toxic"].brier < 0.2
    assert "Brier score and calibration error" in str(result)
    text = "The miller counted geese along the river. You horrible stupid idiot get lost loser. The miller walked along the river."
    batch = run(ToxicSentences(model=str(tmp_path / "m.bin")), text, "You horrible stupid idiot get lost loser.", None, "")
    assert batch["text"].to_pylist() == ["The miller counted geese along the river. The miller walked along the river.", "", None, ""]
    assert batch["signals.toxic_sentences"].to_pylist() == [1, 1, None, 0]
    assert batch["signals.toxic_fraction"][0].as_py() == pytest.approx(42 / len(text))
    assert reasons(batch) == [[], ["classifier:toxic_sentences"], [], []]


def test_calibration_by_hand() -> None:
    """Two texts said 0.8, one was so: off by 0.3; two said 0.1, none was: off by 0.1. Brier: (0.04 + 0.64 + 0.01 + 0.01) / 4."""
    told = calibration(np.array([0.8, 0.8, 0.1, 0.1]), np.array([True, False, False, False]))
    assert told.error == pytest.approx(0.2)
    assert told.brier == pytest.approx(0.175)
    assert [(each["from"], each["texts"], each["said"], each["was"]) for each in told.bins] == [(0.1, 2, 0.1, 0.0), (0.8, 2, 0.8, 0.5)]

"""Generation: with kept keys and values the same as without, in any company, beyond the context; stops; seeds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling.build import build
from modeling.config import ModelConfig
from modeling.generate import Continuing, Sampling, complete, generate
from modeling.transformer import Transformer
from tokenization.tokenizer import BOS, EOS, PAD, UNKNOWN, SpecialIds, Tokenizer

SMALL = ModelConfig(vocabulary=40, context_length=12, layers=2, width=24, heads=4, kv_heads=2, hidden=32)


class Letters(Tokenizer):
    """An id a letter."""

    kind, digest, vocabulary, special = "letters", "letters", 30, SpecialIds()

    def encode(self, text: str) -> np.ndarray:
        return np.array([ord(letter) - 97 + 4 for letter in text], np.int32)

    def decode(self, ids: np.ndarray) -> str:
        return "".join(chr(int(each) - 4 + 97) for each in ids if each >= 4)

    def is_byte(self) -> np.ndarray:
        return np.zeros(30, bool)

    def pieces(self) -> list[str]:
        return [chr(each - 4 + 97) if each >= 4 else "" for each in range(30)]

    def byte_lengths(self) -> np.ndarray:
        return np.where(np.arange(30) < 4, 0, 1)


def model_of(config: ModelConfig, seed: int) -> Transformer:
    """Random weights, large enough that the likeliest token depends on what came before."""
    model = build(config, seed).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    return model


def plainly(model: Transformer, prompt: Sequence[int], tokens: int) -> tuple[list[int], list[torch.Tensor]]:
    """Greedy, the whole window anew for each token: the ids, and the logits that each was taken from."""
    ids, logits = list(prompt), []
    with torch.no_grad():
        for _ in range(tokens):
            logits.append(model(torch.tensor([ids[-model.config.context_length :]]))[0, -1])
            ids.append(int(logits[-1].argmax()))
    return ids[len(prompt) :], logits


@given(
    seed=st.integers(0, 1000),
    prompts=st.lists(st.lists(st.integers(4, 39), min_size=1, max_size=16), min_size=1, max_size=4),
    tokens=st.integers(1, 18),
    fields=st.fixed_dictionaries(
        {
            "position": st.sampled_from(["rope", "learned", "sinusoidal", "static", "none"]),
            "sliding_window": st.sampled_from([0, 1, 3, 20]),
            "full_attention_every": st.sampled_from([0, 2]),
            "qk_norm": st.sampled_from(["none", "head", "width"]),
            "norm_place": st.sampled_from(["before", "after"]),
            "kv_heads": st.sampled_from([1, 2, 4]),
            "mtp_heads": st.sampled_from([0, 1]),
        }
    ),
)
@settings(max_examples=40)
def test_kept_keys_and_values_change_nothing(seed: int, prompts: list[list[int]], tokens: int, fields: dict[str, object]) -> None:
    """Rows of different lengths in one batch, until the context is full and beyond it, against each row alone without a cache."""
    model = model_of(replace(SMALL, **fields), seed)  # type: ignore[arg-type]
    expected = [plainly(model, prompt, tokens) for prompt in prompts]
    text = Continuing(model, prompts, tokens=tokens)
    for at in range(tokens):
        for row, (_, logits) in enumerate(expected):
            assert torch.allclose(text.logits_BV[row], logits[at], atol=1e-4)
        if at + 1 < tokens:
            text.append([ids[at] for ids, _ in expected])


@given(seed=st.integers(0, 1000), ends=st.lists(st.integers(1, 15), min_size=2, max_size=5))
@settings(max_examples=20)
def test_rows_that_end_leave_the_others_as_they_are(seed: int, ends: list[int]) -> None:
    model = model_of(SMALL, seed)
    prompts = [[1, *range(4, 5 + 2 * row)] for row in range(len(ends))]
    expected = [plainly(model, prompt, 15) for prompt in prompts]
    text, alive = Continuing(model, prompts, tokens=15), list(range(len(ends)))
    for at in range(15):
        for place, row in enumerate(alive):
            assert torch.allclose(text.logits_BV[place], expected[row][1][at], atol=1e-4)
        going = [place for place, row in enumerate(alive) if ends[row] > at + 1]
        if not going:
            break
        text.append([expected[alive[place]][0][at] for place in going], going)
        alive = [alive[place] for place in going]


def test_texts_are_the_same_in_any_company() -> None:
    model, prompts = model_of(replace(SMALL, vocabulary=30), 3), ["a", "mill", "the", "stones", "grind"]
    for sampling in (Sampling(temperature=0), Sampling(temperature=1.0, top_k=5, seed=7)):
        together = complete(model, Letters(), prompts, tokens=20, sampling=sampling)
        alone = [complete(model, Letters(), [prompt], tokens=20, sampling=sampling, draws=[at])[0] for at, prompt in enumerate(prompts)]
        assert together == alone
        assert any(together)


def test_seeds_and_draws() -> None:
    model = model_of(replace(SMALL, vocabulary=30), 3)

    def texts(seed: int) -> list[str]:
        return complete(model, Letters(), ["mill"] * 4, tokens=12, sampling=Sampling(temperature=2.0, top_p=1.0, seed=seed))

    assert texts(0) == texts(0)
    assert len(set(texts(0) + texts(1))) == 8
    assert complete(model, Letters(), [], tokens=3, sampling=Sampling()) == []


def test_a_text_ends_before_the_first_stop() -> None:
    model = model_of(replace(SMALL, vocabulary=30), 3)
    whole = complete(model, Letters(), ["mill"], tokens=20, sampling=Sampling(temperature=0))[0]
    cut = complete(model, Letters(), ["mill"], tokens=20, sampling=Sampling(temperature=0), stop=[whole[4:6], whole[9]])[0]
    assert cut == whole[: min(whole.index(whole[4:6]), whole.index(whole[9]))]


def test_one_prompt_in_pieces_is_the_batch_of_one() -> None:
    model = model_of(replace(SMALL, vocabulary=30), 5)
    pieces = list(generate(model, Letters(), "the", tokens=20, sampling=Sampling(temperature=0)))
    assert "".join(pieces) == complete(model, Letters(), ["the"], tokens=20, sampling=Sampling(temperature=0))[0]
    assert len(pieces) > 5


def test_near_the_temperature_of_the_likeliest() -> None:
    """Whatever is divided by 1e-30 leaves the range of a float32: the likeliest is drawn all the same."""
    model = model_of(SMALL, 3)
    cold, coldest = (complete(model, Letters(), ["the"], tokens=9, sampling=Sampling(temperature=each))[0] for each in (1e-30, 0.0))
    assert cold == coldest


@pytest.mark.parametrize("never", [UNKNOWN, BOS, PAD])
def test_special_tokens_are_not_drawn(never: int) -> None:
    model = model_of(SMALL, 0)
    with torch.no_grad():
        model.embed_tokens.weight[never] = 100 * model.embed_tokens.weight[5]
        model.embed_tokens.weight[EOS] = 0
    for temperature in (0.0, 1.0):
        assert len(complete(model, Letters(), ["mill"], tokens=9, sampling=Sampling(temperature=temperature))[0]) == 9

"""The model: what each token sees, by gradients; its size and cost; its loss, and what it begins with."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import BlockMask
from torch.utils.flop_counter import FlopCounterMode

from corpus.errors import GristmillError
from modeling.attention import attend, flex_kernel, sight
from modeling.build import build, token_losses, training_loss
from modeling.checkpoint import exported_name, gathered, load_weights, save_whole
from modeling.config import ModelConfig, SettingError, TrainConfig, with_settings
from modeling.optimizers import rate_factor
from modeling.presets import NAMES, preset
from modeling.transformer import Transformer, initial

SMALL = ModelConfig(vocabulary=40, context_length=12, layers=2, width=24, heads=4, kv_heads=2, hidden=32)
POSITIONS = ("rope", "learned", "sinusoidal", "static", "none")


@contextmanager
def embeddings(model: Transformer) -> Iterator[list[torch.Tensor]]:
    """What the embedding gives within the block, with its gradients."""
    held: list[torch.Tensor] = []

    def keep(_: object, __: object, output: torch.Tensor) -> None:
        output.retain_grad()
        held.append(output)

    hook = model.embed_tokens.register_forward_hook(keep)
    yield held
    hook.remove()


def influences(model: Transformer, ids: torch.Tensor, documents: torch.Tensor | None) -> torch.Tensor:
    """Which inputs move which outputs: bool (T outputs, T inputs), by the gradient of each output with respect to each embedding."""
    found = []
    with embeddings(model) as held:
        for at in range(ids.shape[1]):
            held.clear()
            model(ids, documents)[0, at].square().sum().backward()
            gradient = held[0].grad
            assert gradient is not None
            found.append(gradient[0].abs().sum(-1) > 0)
    return torch.stack(found)


def seen(length: int, window: int, documents: list[int]) -> torch.Tensor:
    """In plain Python: whom each token sees in one layer."""
    return torch.tensor(
        [
            [key <= query and (not window or query - key < window) and documents[query] == documents[key] for key in range(length)]
            for query in range(length)
        ]
    )


@given(
    length=st.integers(1, 12), window=st.integers(0, 14), documents=st.none() | st.lists(st.integers(0, 3), min_size=12, max_size=12)
)  # fmt: skip
def test_masks_are_those_of_plain_python(length: int, window: int, documents: list[int] | None) -> None:
    given_documents = None if documents is None else torch.tensor([documents[:length]])
    mask = sight(length, torch.device("cpu"), window=window, documents_BT=given_documents)
    assert mask is None or isinstance(mask, torch.Tensor)
    expected = seen(length, window, documents or [0] * length)
    assert torch.equal(torch.ones(length, length).tril().bool() if mask is None else mask[0, 0], expected)


@pytest.mark.parametrize("documents", [[0] * 12, [0] * 5 + [1] * 3 + [2] * 4], ids=["one", "three"])
@pytest.mark.parametrize(("window", "full_every"), [(0, 0), (3, 0), (3, 2)])
@pytest.mark.parametrize("position", POSITIONS)
def test_whom_a_token_sees(position: str, window: int, full_every: int, documents: list[int]) -> None:
    """Not the future, no other document, nothing beyond its windows: there the gradient is exactly zero, and nowhere else."""
    config = replace(SMALL, position=position, sliding_window=window, full_attention_every=full_every)
    model = build(config, seed=1)
    first, second = seen(12, window, documents), seen(12, 0 if full_every else window, documents)
    expected = (second.float() @ first.float()) > 0  # what the second layer sees has seen what the first one sees
    given_documents = torch.tensor([documents]) if len(set(documents)) > 1 else None
    assert torch.equal(influences(model, torch.randint(4, 40, (1, 12)), given_documents), expected)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("documents", [None, torch.tensor([[0] * 70 + [1] * 90])])
def test_flex_attention_under_the_same_mask(documents: torch.Tensor | None) -> None:
    """Forward alone: on CPUs it has no backward pass."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, heads, 160, 16, generator=generator) for heads in (4, 2, 2))
    told = []
    for flex in (True, False):
        mask = sight(160, q.device, window=20, documents_BT=documents, flex=flex)
        assert isinstance(mask, BlockMask) == flex
        told.append(attend(q, k, v, mask))
    assert torch.allclose(*told, atol=1e-5)
    assert flex_kernel("cpu") is None


def test_document_masks_come_from_the_beginnings_of_documents() -> None:
    """Two documents in a window have the losses that each has alone (positions of rope are relative)."""
    config = replace(SMALL, document_mask=True)
    model = build(config, seed=1)
    first, second = [1, 5, 6, 7, 2], [1, 9, 8, 2]
    together, _ = token_losses(model, config, torch.tensor([first + second]))
    alone, _ = token_losses(model, config, torch.tensor([second]))
    assert torch.allclose(together[0, len(first) :], alone[0], atol=1e-5)
    mixed, _ = token_losses(model, SMALL, torch.tensor([first + second]))
    assert not torch.allclose(mixed[0, len(first) :], alone[0], atol=1e-3)


@pytest.mark.parametrize("position", POSITIONS)
def test_order_is_seen(position: str) -> None:
    """With any encoding the last logits change when earlier tokens change places; with none, one layer of attention cannot tell."""
    config = replace(SMALL, position=position, layers=1)
    model = build(config, seed=1)
    one, two = model(torch.tensor([[5, 6, 7, 8]]))[0, -1], model(torch.tensor([[6, 5, 7, 8]]))[0, -1]
    assert torch.allclose(one, two, atol=1e-6) == (position == "none")


def test_the_static_table_is_not_trained() -> None:
    model = build(replace(SMALL, position="static"), seed=1)
    assert "static_positions" not in dict(model.named_parameters())
    assert model.static_positions.std() == pytest.approx(0.02, rel=0.2)


OPTIONS: dict[str, list[object]] = {
    "position": list(POSITIONS), "tied": [True, False], "kv_heads": [1, 4], "norm_place": ["before", "after"],
    "qk_norm": ["none", "head", "width"], "head_dim": [0, 10], "mtp_heads": [0, 2], "sliding_window": [0, 5],
}  # fmt: skip


def test_parameters_are_counted_right() -> None:
    """In every combination of the options: 960 of them, on the meta device."""
    for values in itertools.product(*OPTIONS.values()):
        config = replace(SMALL, **dict(zip(OPTIONS, values, strict=True)))
        with torch.device("meta"):
            assert sum(each.numel() for each in Transformer(config).parameters()) == config.parameters, config


@pytest.mark.parametrize("name", NAMES)
def test_presets(name: str) -> None:
    """Their sizes are what their names say, to 8 %; counted on the meta device, where 6.7 billion weigh nothing."""
    config, train = preset(name)
    with torch.device("meta"):
        counted = sum(each.numel() for each in Transformer(config).parameters())
    assert counted == config.parameters
    if name != "tiny":
        told = float(name[:-1]) * {"m": 1e6, "b": 1e9}[name[-1]]
        assert counted == pytest.approx(told, rel=0.08)
        assert train.steps * train.global_batch_tokens == pytest.approx(20 * counted, rel=0.01)
    assert train.global_batch_tokens % config.context_length == 0


@pytest.mark.parametrize("changed", [{}, {"tied": False, "qk_norm": "head"}, {"mtp_heads": 1}, {"head_dim": 48, "position": "learned"}])
def test_flops_are_those_that_pytorch_counts(changed: dict[str, Any]) -> None:
    """Of forward and backward pass, by its own counter; norms and softmax are left out on both sides."""
    config = replace(preset("1m")[0], **changed)
    model = build(config, seed=0)
    ids, share = torch.zeros(1, config.context_length + 1, dtype=torch.int64), torch.ones(1, config.context_length)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.loss(ids, share, mtp_weight=0.3)[0].backward()
    # it does not know the product that is added in place, once for each matrix that predicts
    overlooked = 2 * config.vocabulary * config.width * (1 + config.mtp_heads)
    assert counter.get_total_flops() / config.context_length + overlooked == pytest.approx(config.flops_per_token, rel=0.005)


def test_flops_of_windows_by_hand() -> None:
    """Of four layers three see 64 of 256 tokens; no window is larger than the context."""
    config = replace(preset("4m")[0], sliding_window=64, full_attention_every=4)
    whole = replace(config, sliding_window=0)
    assert whole.flops_per_token - config.flops_per_token == 12 * config.width * 3 * (256 - 64)
    assert replace(config, sliding_window=999).flops_per_token == whole.flops_per_token
    assert [config.windowed(layer) for layer in range(4)] == [True, True, True, False]


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_whole(gathered(build(SMALL, seed=0), writes=True), tmp_path / "model.safetensors")
    for config, told in ((replace(SMALL, hidden=40), "not those of this model"), (replace(SMALL, layers=3), "not those of this model")):
        with pytest.raises(GristmillError, match=told):
            build(config, seed=0, weights=tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(GristmillError, match="weights that cannot be read"):
        load_weights(build(SMALL, seed=0), tmp_path / "model.safetensors")


def test_initial_values() -> None:
    config = preset("4m")[0]
    shape = torch.Size([256, 704])
    plain, out = initial("layers.0.mlp.up_proj.weight", shape, config, 0), initial("layers.0.mlp.down_proj.weight", shape, config, 0)
    assert plain.std() == pytest.approx(0.02, rel=0.02)
    assert out.std() == pytest.approx(0.02 / (2 * config.layers) ** 0.5, rel=0.02)
    assert torch.equal(plain, initial("layers.0.mlp.up_proj.weight", shape, config, 0))
    assert not torch.equal(plain, initial("layers.0.mlp.up_proj.weight", shape, config, 1))
    assert not torch.equal(plain, initial("layers.1.mlp.up_proj.weight", shape, config, 0))
    assert torch.equal(initial("norm.weight", torch.Size([3]), config, 0), torch.ones(3))
    assert exported_name("layers.0.norm") == "model.layers.0.norm"
    assert exported_name("lm_head.weight") == "lm_head.weight"


def test_the_loss_of_a_new_model_is_that_of_a_guess() -> None:
    """Every matrix as wide as it should be, every norm 1, and all ids about as likely: ln(4,096) nats."""
    config = replace(preset("1m")[0], qk_norm="head", mtp_heads=1)
    model = build(config, seed=2)
    for name, parameter in model.named_parameters():
        value = parameter.detach()
        if value.ndim == 1:
            assert torch.equal(value, torch.ones_like(value)), name
            continue
        out = name.endswith(("o_proj.weight", "down_proj.weight"))
        assert float(value.mean()) == pytest.approx(0, abs=4 * 0.02 / value.numel() ** 0.5), name
        assert float(value.std()) == pytest.approx(0.02 / (2 * config.layers) ** 0.5 if out else 0.02, rel=0.03), name
    nats, _ = token_losses(model, config, torch.randint(0, 4096, (2, 65)))
    assert float(nats.detach().mean()) == pytest.approx(math.log(4096), abs=0.1)


def test_the_training_loss_is_that_of_whole_logits() -> None:
    """With padding, document masks and z-loss: forward and every gradient."""
    config = replace(SMALL, document_mask=True, tied=False, qk_norm="width", norm_place="after", sliding_window=4)
    train = replace(preset("tiny")[1], z_loss=1e-2)
    ids = torch.tensor([[1, 5, 6, 7, 2, 1, 9, 8, 11, 12, 2, 3, 3], [1, 15, 16, 17, 12, 13, 19, 18, 31, 22, 33, 9, 2]])
    batch = {"ids": ids, "mask": (ids[:, 1:] != 3).float(), "batch_targets": torch.tensor([22, 22])}
    one, two = build(config, seed=5), build(config, seed=5)
    total, plain = training_loss(one, train, batch)
    nats, spread = token_losses(two, config, ids)
    share = batch["mask"] / 22
    whole = ((nats + 1e-2 * spread.square()) * share).sum()
    assert float(plain) == pytest.approx((nats * share).sum().item(), rel=1e-5)
    assert total.item() == pytest.approx(whole.item(), rel=1e-5)
    total.backward()
    whole.backward()
    for (name, ours), theirs in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-6), name  # type: ignore[arg-type]


@pytest.mark.parametrize("documents", [[0] * 12, [0] * 5 + [1] * 7], ids=["one", "two"])
def test_heads_that_look_further_ahead_see_no_target(documents: list[int]) -> None:
    """The loss of target 7, token 8, at every depth: tokens up to 7 move it, of its own document."""
    model = build(replace(SMALL, mtp_heads=2), seed=1)
    share = torch.zeros(1, 12)
    share[0, 7] = 1
    with embeddings(model) as held:
        total, plain = model.loss(torch.randint(4, 40, (1, 13)), share, torch.tensor([documents]), mtp_weight=0.5)
        total.backward()
    moved = torch.zeros(12, dtype=torch.bool)
    for embedded in held:  # of the inputs, then of those of each depth, which begin further on
        gradient = embedded.grad
        assert gradient is not None
        moved[12 - gradient.shape[1] :] |= gradient[0].abs().sum(-1) > 0
    assert moved.tolist() == [document == documents[7] and at <= 7 for at, document in enumerate(documents)]
    assert float(plain) < total.item()


def test_multi_token_prediction_by_its_definition() -> None:
    """Depth k at position i: the states of depth k - 1 and the embedding of token i + k give token i + k + 1 (DeepSeek-V3, 2.2)."""
    config = replace(SMALL, mtp_heads=2)
    model, ids = build(config, seed=1), torch.randint(4, 40, (2, 13))
    for parameter in model.parameters():
        parameter.data.mul_(3)
    total, plain = model.loss(ids, torch.full((2, 12), 1 / 24), mtp_weight=0.6)
    states, expected = model.states(ids[:, :12]), float(plain)
    for depth, ahead in enumerate(model.mtp, 1):
        merged = torch.cat((ahead.state_norm(states[:, :-1]), ahead.token_norm(model.embed_tokens(ids[:, depth:12]))), -1)
        states = ahead.block(ahead.merge(merged), model.rotation(torch.arange(12 - depth)), None)
        logits = F.linear(model.norm(states), model.embed_tokens.weight)
        nats = F.cross_entropy(logits.flatten(0, 1), ids[:, depth + 1 :].flatten(), reduction="sum") / 24
        expected += 0.6 / 2 * float(nats)
    assert float(total) == pytest.approx(expected, rel=1e-5)


def test_compiled_blocks_compute_the_same() -> None:
    """Traced and differentiated ahead of time; no C compiler is needed for that."""
    config = replace(SMALL, qk_norm="head", sliding_window=4)
    told = []
    for compiled in (False, True):
        model = build(config, seed=1)
        if compiled:
            for layer in model.layers:
                layer.compile(backend="aot_eager")
        loss, _ = model.loss(torch.arange(4, 30).view(2, 13), torch.full((2, 12), 0.1))
        loss.backward()
        told.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])
    for one, two in zip(*told, strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_the_learning_rate() -> None:
    train = TrainConfig(steps=110, global_batch_tokens=8, micro_batch_windows=1, learning_rate=1.0, warmup_steps=10, final_rate=0.2)
    rates = [rate_factor(step, train) for step in range(110)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.6), "half way down the cosine"
    assert rates[-1] == pytest.approx(0.2, abs=0.001)
    assert all(one >= two for one, two in zip(rates[10:], rates[11:], strict=False))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("model.widht=3", "did you mean 'width'"),
        ("width=3", r"model\.FIELD=VALUE"),
        ("model.width=wide", "is a number"),
        ("model.position=alibi", "no such position encoding: alibi.*rope, learned"),
        ("model.qk_norm=yes", "no such qk_norm: yes.*none, head, width"),
        ("model.norm_place=within", "no such norm_place"),
        ("model.sliding_window=-1", "0 or more"),
        ("model.mtp_heads=256", "no token lies 257 ahead"),
        ("train.mtp_weight=-1", "0 or more"),
        ("model.heads=5", "heads must divide width"),
        ("model.tied=maybe", "true or false"),
        ("train.steps=0", "must be 1 or more"),
        ("train.packing=loose", "no such packing"),
        ("train.learning_rate=-1", "must be positive"),
        ("train.learning_rate=nan", "must be positive"),
        ("train.clip_norm=nan", "must be positive"),
        ("train.weight_decay=-1", "weight_decay are 0 or more"),
        ("train.z_loss=nan", "z_loss, .* are 0 or more"),
        ("train.beta2=1", "beta1 and beta2 are decays"),
        ("train.spike_deviations=nan", "spike_deviations is 0 or more"),
        ("train.validation_tokens=0", "must be 1 or more"),
        ("model.rope_theta=nan", "rope_theta is a number above 0"),
        ("model.norm_epsilon=0", "norm_epsilon one between 0 and 1"),
    ],
)
def test_settings_that_cannot_be(setting: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        with_settings(*preset("tiny"), [setting])


def test_settings() -> None:
    model, train = with_settings(
        *preset("tiny"), ["model.tied=false", "train.learning_rate=1e-3", "train.steps=1_000", "model.position=none"]
    )
    assert (model.tied, model.position, train.learning_rate, train.steps) == (False, "none", 1e-3, 1000)
    with pytest.raises(SettingError, match="no such preset: huge"):
        preset("huge")

"""The model: what each token sees, by gradients; its size; and the same logits as Llama's in transformers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from corpus.errors import GristmillError
from modeling.checkpoint import exported_name, gathered, load_weights, read_config, save_whole, write_config
from modeling.config import ModelConfig, SettingError, TrainConfig, with_settings
from modeling.module import build, token_losses
from modeling.optimizers import rate_factor
from modeling.presets import NAMES, preset
from modeling.transformer import Transformer, initial

SMALL = ModelConfig(vocabulary=40, context_length=12, layers=2, width=24, heads=4, kv_heads=2, hidden=32)
POSITIONS = ("rope", "learned", "sinusoidal", "static", "none")


def influences(model: Transformer, ids: torch.Tensor, documents: torch.Tensor | None) -> torch.Tensor:
    """Which inputs move which outputs: bool (T outputs, T inputs), by the gradient of each output with respect to each embedding."""
    held: list[torch.Tensor] = []

    def keep(_: object, __: object, output: torch.Tensor) -> None:
        output.retain_grad()
        held.append(output)

    hook = model.embed_tokens.register_forward_hook(keep)
    seen = []
    for at in range(ids.shape[1]):
        held.clear()
        model(ids, documents)[0, at].square().sum().backward()
        gradient = held[0].grad
        assert gradient is not None
        seen.append(gradient[0].abs().sum(-1) > 0)
    hook.remove()
    return torch.stack(seen)


@pytest.mark.parametrize("position", POSITIONS)
def test_no_token_sees_the_future(position: str) -> None:
    model = build(replace(SMALL, position=position), seed=1)
    ids = torch.randint(4, 40, (1, 12))
    assert torch.equal(influences(model, ids, None), torch.ones(12, 12).tril().bool())


def test_no_token_sees_another_document() -> None:
    model = build(SMALL, seed=1)
    documents = torch.tensor([[0] * 5 + [1] * 3 + [2] * 4])
    expected = torch.block_diag(*(torch.ones(size, size).tril() for size in (5, 3, 4))).bool()
    assert torch.equal(influences(model, torch.randint(4, 40, (1, 12)), documents), expected)


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


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_counted_right(position: str, tied: bool) -> None:
    config = replace(SMALL, position=position, tied=tied)
    assert sum(each.numel() for each in build(config, seed=0).parameters()) == config.parameters


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


def test_flops_are_those_that_pytorch_counts() -> None:
    """Forward alone is a third of forward and backward; the norms and the softmax are left out on both sides."""
    from torch.utils.flop_counter import FlopCounterMode

    config = preset("4m")[0]
    model = build(config, seed=0)
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        model(torch.zeros(1, config.context_length, dtype=torch.int64))
    assert counter.get_total_flops() / config.context_length == pytest.approx(config.flops_per_token / 3, rel=0.02)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_logits_are_those_of_llama_in_transformers(tmp_path: Path, tied: bool, kv_heads: int) -> None:
    config = replace(SMALL, tied=tied, kv_heads=kv_heads, rope_theta=500.0)
    model = build(config, seed=3)
    for parameter in model.parameters():  # far from the small initial values, where a fault could hide
        parameter.data.mul_(5)
    save_whole(gathered(model, writes=True), tmp_path / "model.safetensors")
    write_config(tmp_path, config)
    llama = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(llama).__name__ == "LlamaForCausalLM"
    ids = torch.randint(0, 40, (3, 12))
    with torch.no_grad():
        ours, theirs = model(ids), llama(ids).logits
    assert ours.std() > 0.5
    assert torch.allclose(ours, theirs, atol=1e-5), (ours - theirs).abs().max()
    assert read_config(tmp_path) == config
    again = build(config, seed=4, weights=tmp_path / "model.safetensors")
    assert torch.equal(again(ids), ours)


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
        ("model.heads=5", "heads must divide width"),
        ("model.tied=maybe", "true or false"),
        ("train.steps=0", "must be 1 or more"),
        ("train.packing=best_fit", "no such packing"),
        ("train.learning_rate=-1", "must be positive"),
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

"""Models as `transformers` has them, and back: the same logits, the same loss in its Trainer, and one line where that cannot be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.utils.data import Dataset
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Trainer,
    TrainingArguments,
)

from corpus.errors import GristmillError
from jobs.cli import gristmill
from modeling.architectures import from_huggingface
from modeling.build import build, training_loss
from modeling.checkpoint import gathered, read_config, save_whole, write_config
from modeling.config import ModelConfig, SettingError
from modeling.export import export, load_huggingface, read_huggingface
from modeling.presets import NAMES, preset
from modeling.transformer import Transformer
from tokenization.packing import Window, pack
from tokenization.shards import TokenFolder

SMALL = ModelConfig(vocabulary=40, context_length=16, layers=4, width=24, heads=4, kv_heads=2, hidden=32)
AFTER: dict[str, Any] = {"norm_place": "after", "qk_norm": "width"}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {"rope_theta": 500.0}),
    "mistral": ("MistralForCausalLM", {"sliding_window": 5}),
    "ministral": ("MinistralForCausalLM", {"sliding_window": 5, "full_attention_every": 2}),
    "qwen3": ("Qwen3ForCausalLM", {"qk_norm": "head"}),
    "qwen3 wide": ("Qwen3ForCausalLM", {"qk_norm": "head", "head_dim": 10, "sliding_window": 3, "full_attention_every": 3}),
    "olmo2": ("Olmo2ForCausalLM", AFTER),
    "olmo3": ("Olmo3ForCausalLM", AFTER | {"sliding_window": 5, "full_attention_every": 4}),
}


def lively(config: ModelConfig) -> Transformer:
    """Weights far from the small initial ones, where a fault could hide."""
    model = build(config, seed=3)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        with torch.no_grad():
            parameter.mul_(5) if parameter.ndim > 1 else parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def finished(model: Transformer, folder: Path) -> Path:
    """What `gristmill pretrain` leaves, as far as weights go."""
    folder.mkdir()
    save_whole(gathered(model, writes=True), folder / "model.safetensors")
    write_config(folder, model.config)
    return folder


def logits_there(folder: Path, ids: torch.Tensor) -> tuple[str, torch.Tensor]:
    made = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return type(made).__name__, made(ids).logits


def assert_same(one: torch.Tensor, two: torch.Tensor) -> None:
    assert one.std() > 0.3
    assert torch.allclose(one, two, atol=1e-5, rtol=1e-5), (one - two).abs().max()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 4])
@pytest.mark.parametrize("name", VARIANTS)
def test_logits_there_and_back(tmp_path: Path, name: str, tied: bool, kv_heads: int) -> None:
    """Of the finished folder, of the exported one, and of ours made from that."""
    expected, options = VARIANTS[name]
    config = replace(SMALL, tied=tied, kv_heads=kv_heads, **options)
    model, ids = lively(config), torch.randint(0, 40, (3, 16))
    with torch.no_grad():
        ours = model(ids)
    folder = finished(model, tmp_path / "model")
    assert read_config(folder) == config
    assert export(folder, tmp_path / "plain") == expected
    for each in (folder, tmp_path / "plain"):
        kind, theirs = logits_there(each, ids)
        assert kind == expected
        assert_same(ours, theirs)
    assert "gristmill" not in json.loads((tmp_path / "plain" / "config.json").read_bytes())
    assert read_huggingface(tmp_path / "plain") == config
    with torch.no_grad():
        assert torch.equal(build(config, seed=9, weights=tmp_path / "plain")(ids), ours)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_in_miniature(tmp_path: Path, name: str) -> None:
    """Its heads and proportions, two layers, heads of 4."""
    whole, _ = preset(name)
    width = 4 * whole.heads
    config = replace(whole, vocabulary=48, context_length=16, layers=2, width=width, hidden=whole.hidden * width // whole.width)
    model, ids = lively(config), torch.randint(0, 48, (2, 16))
    _, theirs = logits_there(finished(model, tmp_path / "model"), ids)
    assert_same(model(ids), theirs)


THEIR_SIZES: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "pad_token_id": 0,
    "max_position_embeddings": 16,
}  # fmt: skip
THEIRS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**THEIR_SIZES)),
    "llama grouped, tied": lambda: LlamaForCausalLM(LlamaConfig(**THEIR_SIZES, num_key_value_heads=2, tie_word_embeddings=True)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**THEIR_SIZES, num_key_value_heads=2, head_dim=8)),
    "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**THEIR_SIZES)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**THEIR_SIZES, num_key_value_heads=2, sliding_window=5)),
}


@pytest.mark.parametrize("shards", ["20KB", "1GB"])
@pytest.mark.parametrize("name", THEIRS)
def test_their_folders_are_read(tmp_path: Path, name: str, shards: str) -> None:
    """As they write them, in one file or several."""
    theirs = THEIRS[name]()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(5) if parameter.ndim > 1 else parameter.mul_(0.9)
    theirs.save_pretrained(tmp_path, max_shard_size=shards)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shards == "20KB")
    config, ids = read_huggingface(tmp_path), torch.randint(0, 40, (2, 16))
    with torch.no_grad():
        assert_same(build(config, seed=0, weights=tmp_path)(ids), theirs(ids).logits)
    (lacking,) = [load_huggingface(build(replace(config, mtp_heads=1), seed=0), tmp_path)]
    assert lacking
    assert all(each.startswith("mtp.0.") for each in lacking), "heads that look further ahead begin anew"


def test_published_configurations() -> None:
    """As they stand in the folders of their makers, where defaults count: sizes by hand."""
    mistral = {"model_type": "mistral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
               "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
               "hidden_act": "silu", "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": False}  # fmt: skip
    assert from_huggingface(mistral).parameters == 7_241_732_096
    assert from_huggingface(mistral).sliding_window == 4096
    assert from_huggingface(mistral | {"sliding_window": None}).sliding_window == 0
    qwen = {"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
            "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6,
            "hidden_act": "silu", "rope_theta": 1000000, "rope_scaling": None, "sliding_window": None, "use_sliding_window": False,
            "max_window_layers": 28, "tie_word_embeddings": True, "attention_bias": False}  # fmt: skip
    made = from_huggingface(qwen)
    assert (made.parameters, made.head_width, made.rope_theta, made.sliding_window) == (596_049_920, 128, 1e6, 0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"position": "learned"}, r"positions of this kind: learned.*model\.position|model\.position.*learned"),
        ({"position": "sinusoidal"}, r"model\.position"),
        ({"position": "static"}, r"model\.position"),
        ({"position": "none"}, r"model\.position"),
        ({"qk_norm": "width"}, r"model\.qk_norm"),
        ({"norm_place": "after"}, r"model\.qk_norm"),
        ({"mtp_heads": 1}, r"model\.mtp_heads"),
    ],
)
def test_what_transformers_has_no_model_for(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    folder = finished(build(replace(SMALL, **options), seed=0), tmp_path / "model")
    assert read_config(folder) == replace(SMALL, **options), "our own folder holds it all the same"
    with pytest.raises(SettingError, match=told) as refused:
        export(folder, tmp_path / "plain")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "plain").exists()


def test_heads_that_look_further_ahead_are_dropped_when_told(tmp_path: Path) -> None:
    model, ids = lively(replace(SMALL, mtp_heads=2)), torch.randint(0, 40, (2, 16))
    folder = finished(model, tmp_path / "model")
    made = CliRunner().invoke(gristmill, ["export", str(folder), "--output", str(tmp_path / "plain"), "--drop-mtp"])
    assert (made.exit_code, made.output.split(":")[0]) == (0, "LlamaForCausalLM")
    assert_same(model(ids), logits_there(tmp_path / "plain", ids)[1])
    assert build(replace(SMALL), seed=0, weights=tmp_path / "plain")(ids).equal(model(ids))
    with pytest.raises(GristmillError, match="not empty"):
        export(folder, tmp_path / "plain", drop_mtp=True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model_type": "gpt2"}, "model_type"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0}}, "rope_parameters"),
        ({"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"model_type": "qwen3", "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2}, "layer_types"),
    ],
)
def test_what_ours_cannot_be(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told) as refused:
        from_huggingface(LlamaConfig(**THEIR_SIZES).to_dict() | changed)
    assert "\n" not in str(refused.value)


def test_damaged_folders(tmp_path: Path) -> None:
    folder = finished(build(SMALL, seed=0), tmp_path / "model")
    with pytest.raises(GristmillError, match="no readable config"):
        read_huggingface(tmp_path / "nowhere")
    with pytest.raises(GristmillError, match="not there.*layers.4|layers.4.*not there"):
        build(replace(SMALL, layers=5), seed=0, weights=folder)
    with pytest.raises(GristmillError, match="no place"):
        build(replace(SMALL, layers=3), seed=0, weights=folder)
    with pytest.raises(GristmillError, match="another shape"):
        build(replace(SMALL, hidden=40), seed=0, weights=folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(GristmillError, match="cannot be read"):
        build(SMALL, seed=0, weights=folder)


class _Examples(Dataset[dict[str, torch.Tensor]]):
    """Windows of our token shards as their Trainer takes them: labels are the ids, -100 where no target counts."""

    def __init__(self, windows: list[Window]):
        self._windows = windows

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        window = self._windows[number]
        ids = torch.from_numpy(window.ids)
        labels = ids.clone()
        labels[1:][torch.from_numpy(window.mask) == 0] = -100
        return {"input_ids": ids, "labels": labels}


def test_their_trainer_goes_on_with_our_tokens(tmp_path: Path, small_tokens: Path) -> None:
    """The first loss is ours, padding left out on both sides, and the second step, on the same windows, is better."""
    folder = TokenFolder.open(str(small_tokens))
    packed = pack(folder.split("train"), 1024, "document")
    fullest = np.argsort(packed.targets(np.arange(packed.count)), kind="stable")[::-1]
    read = [packed.read(int(number)) for number in (*fullest[:2], *fullest[-2:])]
    config = replace(SMALL, vocabulary=folder.manifest["tokenizer"]["vocabulary"], context_length=1024)
    model = build(config, seed=0)
    export(finished(model, tmp_path / "model"), tmp_path / "plain")
    asked = TrainingArguments(
        str(tmp_path / "out"), max_steps=2, per_device_train_batch_size=4, learning_rate=1e-2, lr_scheduler_type="constant",
        logging_steps=1, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    theirs = Trainer(AutoModelForCausalLM.from_pretrained(tmp_path / "plain"), asked, train_dataset=_Examples(read))
    theirs.train()
    first, second = (line["loss"] for line in theirs.state.log_history if "loss" in line)
    batch = {
        "ids": torch.stack([torch.from_numpy(each.ids) for each in read]),
        "mask": torch.stack([torch.from_numpy(each.mask) for each in read]),
    }
    assert 0 < float(batch["mask"].sum()) < batch["mask"].numel(), "some of it is padding"
    _, plain = training_loss(model, preset("tiny")[1], batch | {"batch_targets": batch["mask"].sum().expand(4)})
    assert first == pytest.approx(float(plain), abs=2e-4)
    assert second < first


def test_the_folder_says_what_it_is(tmp_path: Path) -> None:
    told = AutoConfig.from_pretrained(finished(build(replace(SMALL, qk_norm="head"), seed=0), tmp_path / "model"))
    assert (told.model_type, told.bos_token_id, told.eos_token_id, told.pad_token_id) == ("qwen3", 1, 2, 3)

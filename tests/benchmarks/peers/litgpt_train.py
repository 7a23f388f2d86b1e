"""Training steps of LitGPT's model as its own `pretrain` makes them; run in an environment of its own (litgpt.txt: PyTorch for CPUs).

OMP_NUM_THREADS=1 python litgpt_train.py '{"vocabulary": 4096, "context_length": 256, …}' WINDOWS STEPS
"""

import json
import sys
import time

import torch
from litgpt.config import Config
from litgpt.model import GPT
from litgpt.utils import chunked_cross_entropy


def main(shape: str, windows: str, steps: str) -> None:
    told = json.loads(shape)
    config = Config(
        block_size=told["context_length"],
        padded_vocab_size=told["vocabulary"],
        vocab_size=told["vocabulary"],
        n_layer=told["layers"],
        n_embd=told["width"],
        n_head=told["heads"],
        n_query_groups=told["kv_heads"],
        intermediate_size=told["hidden"],
        norm_eps=told["norm_epsilon"],
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
    )
    torch.manual_seed(0)
    model = GPT(config)
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, 0, 0.02)
    model.transformer.wte.weight = model.lm_head.weight  # as its option tie_embeddings
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids = torch.randint(4, config.vocab_size, (int(windows), config.block_size + 1))
    losses = []

    def step() -> None:
        loss = chunked_cross_entropy(model(ids[:, :-1]), ids[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())

    step()  # warm
    started = time.process_time()
    for _ in range(int(steps)):
        step()
    seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "parameters": sum(each.numel() for each in model.parameters()), "losses": losses}))


if __name__ == "__main__":
    main(*sys.argv[1:])

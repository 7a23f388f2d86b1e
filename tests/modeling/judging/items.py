"""Samples and questions that the tests of judging ask about."""

from modeling.judging.samples import Item, Sample

PAIR = ("Which continuation is better?",)


def made(systems: int = 2, prompts: int = 3) -> list[Sample]:
    return [
        Sample(system=f"system-{chr(97 + at)}", prompt_id=f"p{prompt}", prompt=f"Prompt {prompt}", text=f"text {prompt} of {at}")
        for prompt in range(prompts)
        for at in range(systems)
    ]


def item(prompt: str, *systems: str) -> Item:
    key = f"{prompt} {sorted(systems)}"
    return Item(key=key, prompt_id=prompt, prompt=prompt, systems=systems, texts=tuple(f"of {system}" for system in systems))

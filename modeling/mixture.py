"""What share of each batch comes from which source, and how that changes over training: phases with weights, as a user writes them.

    # phases.yaml                           gristmill pretrain tokens/ --mixture phases.yaml
    by: source                            # or language
    max_epochs: 4                         # optional: refuse to repeat a source more often
    phases:
      - until: 0.8                        # share of the steps; or until_tokens: 2_000_000_000
        weights: {web: 7, wiki: 2, code: 1}
      - weights: {wiki: 1, code: 1}       # to the end; who is not named gets nothing

A phase draws from the sources in a fixed pattern that repeats, in which each has its exact share of the places: so how many windows of a
source lie before a step is a whole number that is computed, not counted, and a run may begin anywhere (``modeling.order``).

    mixture = Mixture.read(Path("phases.yaml"))
    mixture.order(windows, global_batch=16, steps=800, seed=0)
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, Self, final

import yaml

from modeling.config import SettingError
from modeling.order import MixedOrder, Phase
from tokenization.packing import Grouped

BY = ("source", "language")
PATTERN = 10_000  # places of a pattern, at most: a weight is exact to a ten-thousandth
_HINT = "phases: [{until: 0.8, weights: {web: 7, wiki: 2}}, {weights: {wiki: 1}}]"


@final
@dataclass(frozen=True)
class Mixture:
    """``data`` is what the file said, in primitives; checked, and kept so in the fingerprint of a run."""

    data: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises SettingError where the file is none, or says what cannot be."""
        try:
            return cls.of(yaml.safe_load(file.read_text()), str(file))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SettingError("the mixture cannot be read", where=str(file), hint=str(error)) from error

    @classmethod
    def of(cls, data: Any, where: str = "train.mixture") -> Self:
        """Raises SettingError with one line for what is wrong."""

        def refuse(what: str, hint: str = "") -> SettingError:
            return SettingError(what, where=where, hint=hint)

        if not isinstance(data, Mapping) or not isinstance(data.get("phases"), list) or not data["phases"]:
            raise refuse("a mixture is a mapping with a list of phases", _HINT)
        _known(data, ("by", "max_epochs", "phases"), where)
        if data.get("by", "source") not in BY:
            raise refuse(f"a mixture is by {' or '.join(BY)}, not {data['by']}")
        if not _is_number(data.get("max_epochs", 1)) or data.get("max_epochs", 1) <= 0:
            raise refuse("max_epochs is a number above 0")
        for number, phase in enumerate(data["phases"], 1):
            if not isinstance(phase, Mapping) or not isinstance(phase.get("weights"), Mapping):
                raise refuse(f"phase {number} has no weights", _HINT)
            _known(phase, ("until", "until_tokens", "weights"), where)
            if not all(isinstance(name, str) and _is_number(weight) and weight >= 0 for name, weight in phase["weights"].items()):
                raise refuse(f"the weights of phase {number} are not names with numbers of 0 or more")
            if not any(phase["weights"].values()):
                raise refuse(f"phase {number} draws from nothing: all its weights are 0")
            ends = [name for name in ("until", "until_tokens") if name in phase]
            if len(ends) != (number < len(data["phases"])):
                raise refuse(f"phase {number} needs {'one of until and until_tokens' if not ends else 'no end'}", "all but the last end")
            if not all(_is_number(phase[name]) and phase[name] > 0 for name in ends) or phase.get("until", 0) >= 1:
                raise refuse(f"phase {number} ends at a share of the steps between 0 and 1, or at a number of tokens")
        return cls(data)

    @property
    def by(self) -> str:
        return str(self.data.get("by", "source"))

    def order(self, windows: Grouped, *, global_batch: int, steps: int, seed: int) -> MixedOrder:
        """Raises SettingError where these windows cannot be mixed so."""
        counts = [part.count for part in windows.parts]
        phases = []
        first = 0
        for number, phase in enumerate(self.data["phases"], 1):
            for name, weight in phase["weights"].items():
                self._must_have(name, weight, windows.groups, counts, windows.context_length)
            weights = whole_weights([Fraction(str(phase["weights"].get(name, 0))) for name in windows.groups])
            phases.append(Phase(first, tuple(weights)))
            first = self._end(phase, steps, global_batch * windows.context_length)
            if first <= phases[-1].first_step or first > steps:
                raise SettingError(
                    f"phase {number} would go from step {phases[-1].first_step:,} to {first:,} of {steps:,}", where="mixture",
                    hint="phases end one after another, the last with the run",
                )  # fmt: skip
        order = MixedOrder(windows.groups, tuple(counts), tuple(phases), global_batch, seed)
        most = self.data.get("max_epochs")
        for name, epochs in order.epochs_by_group(steps).items():
            if most and epochs > most:
                raise SettingError(
                    f"{name} would be read {epochs:.2f} times, above max_epochs {most:g}", where="mixture",
                    hint="a smaller weight, or fewer steps",
                )  # fmt: skip
        return order

    def _must_have(self, name: str, weight: float, groups: Sequence[str], counts: Sequence[int], context_length: int) -> None:
        if name not in groups:
            near = difflib.get_close_matches(name, groups, 1)
            raise SettingError(
                f"the tokens have no {self.by} {name!r}", where="mixture", hint=f"did you mean {near[0]!r}?" if near else ", ".join(groups)
            )
        if weight and not counts[groups.index(name)]:
            raise SettingError(f"{name} has too few tokens for one window of {context_length:,}", where="mixture", hint="give it no weight")

    def _end(self, phase: Mapping[str, Any], steps: int, batch_tokens: int) -> int:
        """The step that the phase ends before."""
        if "until_tokens" in phase:
            return -(-int(phase["until_tokens"]) // batch_tokens)
        return int(Fraction(str(phase["until"])) * steps) if "until" in phase else steps


def whole_weights(weights: Sequence[Fraction]) -> list[int]:
    """Whole numbers in the same proportion, of a sum of at most :data:`PATTERN`; where that cannot be exact, ten-thousandths.

    >>> whole_weights([Fraction("0.7"), Fraction("0.2"), Fraction("0.1")])
    [7, 2, 1]
    """
    scale = lcm(*(weight.denominator for weight in weights))
    shares = [Fraction(weight * scale, sum(weights) * scale) for weight in weights]
    parts = lcm(*(share.denominator for share in shares))
    if parts <= PATTERN:
        return [int(share * parts) for share in shares]
    whole = [max(int(share * PATTERN), int(share > 0)) for share in shares]  # none with a weight is forgotten
    for at in sorted(range(len(shares)), key=lambda each: (whole[each] - shares[each] * PATTERN, each))[: max(0, PATTERN - sum(whole))]:
        whole[at] += 1
    return whole


def _known(data: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for name in data:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            raise SettingError(f"a mixture has no {name!r}", where=where, hint=f"did you mean {near[0]!r}?" if near else ", ".join(names))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")

"""Whether what a readout reads is what the encoder has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn


def stages_read(stages: Sequence[int], channels: Sequence[int]) -> dict[int, int]:
    """Stage -> channels of its map. Raises ValueError unless each stage, 0 the finest, has one positive count."""
    stages, channels = list(stages), list(channels)
    whole = all(isinstance(value, int) for value in (*stages, *channels))
    if not stages or len(stages) != len(channels) or not whole or min(stages) < 0 or min(channels) < 1:
        raise ValueError(
            "readout: expected stages >= 0, 0 the finest, and as many channels >= 1, found "
            f"stages {stages}, channels {channels}"
        )
    if stages != sorted(set(stages)):
        raise ValueError(f"readout: expected each stage once, finest first, found stages {stages}")
    return dict(zip(stages, channels, strict=True))


def check_stages(readouts: Mapping[str, nn.Module], widths: Sequence[int]) -> None:
    """Raise ValueError where a readout reads a stage that the encoder lacks, or expects other channels than it has.

    `widths`: the channels of the encoder's stages, finest first. A readout says in `stages` (stage -> channels) what it
    reads; one without reads no stage by its channels.
    """
    for name, readout in readouts.items():
        for stage, channels in getattr(readout, "stages", {}).items():
            if stage >= len(widths) or widths[stage] != channels:
                raise ValueError(
                    f"readout '{name}': expects {channels} channels of stage {stage}, the encoder's stages have "
                    f"{dict(enumerate(widths))}; channels is base_filters * 2**stage"
                )

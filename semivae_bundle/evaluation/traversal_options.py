"""What is moved in a traversal, how far and in how many steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEWEST_STEPS = 3


@dataclass(frozen=True)
class TraversalOptions:
    """`features`: target columns to move, one after the other. `scans`: how many of the split, from its start. `steps`
    of each traversal. `code_scans`: scans from whose codes the usual direction is learned. A volume goes from
    1 / `volume_factor` to `volume_factor` times what the head says, a location `location_mm` to either side, a shape
    through the central `central_share` of the training subjects. `together`: feature -> columns that move with it in a
    further traversal, such as the parts of a total volume, by the same law.
    """

    features: Sequence[str]
    scans: int
    steps: int
    code_scans: int
    volume_factor: float
    location_mm: float
    central_share: float
    together: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        if isinstance(self.features, str):
            raise ValueError(f"traversals: features: expected a list, found {self.features!r}; write [{self.features}]")
        problems = []
        if not self.features or len(set(self.features)) < len(self.features):
            problems.append(f"features: expected one or more columns, each once, found {list(self.features)}")
        if strangers := [one for one, others in self.together.items() if others and one not in self.features]:
            problems.append(f"together: expected some of the features {list(self.features)}, found {strangers}")
        if min(self.scans, self.code_scans) < 1:
            problems.append(f"scans, code_scans: expected at least 1, found {self.scans}, {self.code_scans}")
        if self.steps < FEWEST_STEPS:
            problems.append(f"steps: expected at least {FEWEST_STEPS}, found {self.steps}")
        if not self.volume_factor > 1:
            problems.append(f"volume_factor: expected more than 1, found {self.volume_factor}")
        if not self.location_mm > 0:
            problems.append(f"location_mm: expected more than 0 mm, found {self.location_mm}")
        if not 0 < self.central_share < 1:
            problems.append(f"central_share: expected between 0 and 1, found {self.central_share}")
        if problems:
            raise ValueError("traversals:\n  " + "\n  ".join(problems))

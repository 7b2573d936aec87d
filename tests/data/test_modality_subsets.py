"""Names of subsets of the modalities."""

from semivae_bundle.data.modality_subsets import SUBSETS, absent, subset_name
from semivae_bundle.data.subjects import MODALITIES


def test_there_are_fifteen_subsets_the_whole_first() -> None:
    assert len(set(map(frozenset, SUBSETS))) == len(SUBSETS) == 15
    assert SUBSETS[0] == MODALITIES
    assert all(SUBSETS)


def test_a_name_keeps_the_order_of_the_modalities() -> None:
    assert subset_name(["t2f", "t1c"]) == "t1c+t2f"
    assert absent(["t2f", "t1c"]) == ("t1n", "t2w")

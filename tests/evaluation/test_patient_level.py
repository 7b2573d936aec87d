import numpy as np

from semivae_bundle.evaluation.patient_level import fullest_scans, patient_averages


def test_averages_come_in_the_order_of_first_scans() -> None:
    found = patient_averages(np.array([[1.0], [5.0], [3.0]]), ["b", "a", "b"])
    np.testing.assert_array_equal(found, [[2.0], [5.0]])


def test_the_first_of_the_fullest_scans_is_taken_of_each_patient_that_has_one() -> None:
    known = np.array([[1, 0], [1, 1], [1, 1], [0, 0], [0, 1]], dtype=bool)
    np.testing.assert_array_equal(fullest_scans(["a", "a", "a", "b", "c"], known), [1, 4])


def test_nobody_with_a_value_gives_nobody() -> None:
    assert fullest_scans(["a", "b"], np.zeros((2, 3), dtype=bool)).tolist() == []

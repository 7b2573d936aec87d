from semivae_bundle.data.draw import place_in_queue


def test_the_queue_is_the_one_that_published_splits_came_from() -> None:
    # Another digest would divide every cohort anew.
    assert place_in_queue("BraTS-PHM-00000", 0).startswith("d02f740c516ffeaf")
    assert place_in_queue("BraTS-PHM-00000", 0, "label:") != place_in_queue("BraTS-PHM-00000", 0)

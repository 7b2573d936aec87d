import pytest

from semivae_bundle.data.flags import read_flags


def test_words_of_the_command_line_mean_what_they_say() -> None:
    assert read_flags(a="false", b="True", c=False, d=1, e="no") == dict(a=False, b=True, c=False, d=True, e=False)


def test_anything_else_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="overwrite: expected true or false, found 'maybe'"):
        read_flags(overwrite="maybe")

"""Yes-or-no options from a command line, where `--overwrite false` arrives as the text "false"."""

from __future__ import annotations

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_flags(**flags: bool | int | str) -> dict[str, bool]:
    """Name -> True or False; raises ValueError for what is neither. A text taken as it is would always be true."""
    read = {}
    for name, value in flags.items():
        word = str(value).strip().lower()
        if word not in _WORDS:
            raise ValueError(f"{name}: expected true or false, found {value!r}; pass --{name} true or --{name} false")
        read[name] = _WORDS[word]
    return read

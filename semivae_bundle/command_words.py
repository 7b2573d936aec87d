"""What stands after a command, looked at before it runs: Fire finds a word that nobody takes only afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

_FLAG = re.compile(r"--?[A-Za-z]")


def check_command(word: str, commands: Sequence[str]) -> None:
    """ValueError for a first word that is neither one of `commands` nor an option of the program."""
    if word.startswith("-") or word in commands:
        return
    near = get_close_matches(word, commands, n=3)
    hint = f" (did you mean {', '.join(near)}?)" if near else ""
    raise ValueError(f"expected a command, found {word!r}{hint}; there are {', '.join(commands)}")


def check_words(name: str, command: Callable[..., Any], words: Sequence[str]) -> None:
    """ValueError for an option that `command` doesn't have, and for more words than it takes.

    As Fire reads them: an option's value is the next word unless that is an option, or stands behind a "=".
    """
    parameters = signature(command).parameters.values()
    places = [one.name for one in parameters if one.kind is Parameter.POSITIONAL_OR_KEYWORD]
    known = [one.name for one in parameters if one.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
    takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in parameters)
    options, loose = _sorted_out(words)
    for option in options if not takes_any else ():
        if option not in known:
            near = get_close_matches(option, known, n=3)
            hint = f" (did you mean {', '.join(f'--{one}' for one in near)}?)" if near else ""
            raise ValueError(f"{name}: no option --{option}{hint}; it has {', '.join(f'--{one}' for one in known)}")
    if len(loose) > len(places):
        expected = f"at most {' and '.join(places)}" if places else "no word"
        raise ValueError(f"{name}: expected {expected}, found also {loose[len(places)]!r}; options are --name value")


def _sorted_out(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of options; the words that are neither an option nor the value of one."""
    options, loose, value = [], [], False
    for word in words:
        if word in ("-", "--"):  # what follows is meant for Fire
            break
        if _FLAG.match(word):
            options.append(word.lstrip("-").partition("=")[0].replace("-", "_"))
            value = "=" not in word
        elif value:
            value = False
        else:
            loose.append(word)
    return options, loose

"""A run id of the bundle's configs, with recipes laid over them; an option that no config knows is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from pydoc import locate
from typing import Any

from semivae_bundle.option_kinds import kind_problem, names_a_path
from semivae_bundle.recipe_checks import check_recipes

PACKAGE = Path(__file__).resolve().parent


def run_step(run_id: str, configs: Sequence[str], recipe: str | Sequence[str], /, **options: Any) -> None:
    """Run `run_id` of the bundle's `configs` with recipes laid over them; `options` override ids, None leaves them.

    The recipes come before the second config, so that an evaluation has the last word on what it evaluates.
    """
    from monai.bundle import run

    root = bundle_root()
    files = config_files(root, configs, recipe)
    given = given_options(options)
    if root != Path():
        given.setdefault("bundle_root", str(root))
    check_options(given, files)
    run(run_id=run_id, config_file=files, **given)


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None, with folders and files as text."""
    given = {name: value for name, value in options.items() if value is not None}
    return {name: folder_option(name, value) if names_a_path(name) else value for name, value in given.items()}


def folder_option(name: str, value: object) -> str:
    """A folder called 2021 arrives from the command line as a number, and an option without a value as True."""
    if isinstance(value, bool):
        raise ValueError(f"--{name}: expected a folder or file, found no value")
    if not isinstance(value, str | int | float):
        raise ValueError(f"--{name}: expected one folder or file, found {value!r}; put its name in quotation marks")
    return str(value)


def config_files(root: Path, configs: Sequence[str], recipe: str | Sequence[str]) -> list[str]:
    """The first config, the recipes, and then the other configs. ValueError for a recipe that is no text, or is for
    another step.
    """
    if isinstance(recipe, str):
        # Fire reads [ema,small] as a list, and [ema,mine.yaml], for its dot, as text.
        bracketed = recipe.startswith("[") and recipe.endswith("]")
        recipe = [name.strip(" '\"") for name in recipe[1:-1].split(",")] if bracketed else [recipe]
    if not isinstance(recipe, list | tuple) or not all(isinstance(name, str) for name in recipe):
        raise ValueError(f"recipe: expected a name such as ema, or several as [ema,small], found {recipe!r}")
    first, *rest = [str(root / "configs" / name) for name in configs]
    files = [str(find_recipe(name, root)) for name in recipe]
    check_recipes(first, files)
    return [first, *files, *rest]


def bundle_root() -> Path:
    """The bundle to run: the one in the working directory, else the one that this package belongs to."""
    for root in (Path(), PACKAGE.parent):
        config = root / "configs" / "train.json"
        # Other bundles have a file of that name too.
        if config.is_file() and PACKAGE.name in config.read_text(encoding="utf-8"):
            return root
    raise FileNotFoundError(
        f"configs/train.json: expected it in the working directory or beside {PACKAGE}, found neither; "
        "run the command in the bundle's folder"
    )


def find_recipe(name: str, root: Path) -> Path:
    """A recipe by its name, such as `ema`, or by its path."""
    folder = root / "configs" / "recipes"
    for file in (folder / f"{name}.yaml", Path(name)):
        if file.is_file():
            return file
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise FileNotFoundError(f"recipe {name!r}: expected a file or a name in {folder}, found neither; {hint}")


def check_options(options: Mapping[str, Any], files: Sequence[str]) -> None:
    """Raise for an option that no config knows: MONAI would take it in silence, and do nothing with it. For one of
    another kind than what the configs have there, too.
    """
    from monai.bundle import ConfigParser

    parser = ConfigParser(ConfigParser.load_config_files(list(files)))
    known = [name for name in parser.get() if name not in ("_desc_", "run")]
    problems, wrong = [], []
    for name, value in options.items():
        if name in parser:
            wrong.append(kind_problem(name, value, parser.get(name.replace("::", "#"))))
            continue
        parent, _, last = name.replace("::", "#").rpartition("#")
        content = parser.get(parent) if parent else None
        # An argument that the config leaves at its default is new there.
        arguments = arguments_of(content["_target_"]) if isinstance(content, dict) and "_target_" in content else None
        if arguments is None and isinstance(content, dict | list):
            continue
        if arguments and last in arguments:
            continue
        near = [f"--{parent}#{one}" for one in get_close_matches(last, arguments or (), n=3)]
        near = near or [f"--{one}" for one in get_close_matches(name.partition("#")[0], known, n=3)]
        problems.append(f"--{name}" + (f" (did you mean {', '.join(near)}?)" if near else ""))
    if problems:
        raise ValueError(f"options: expected ids of {', '.join(files)}, found {'; '.join(problems)}")
    if any(wrong):
        raise ValueError("; ".join(filter(None, wrong)))


def arguments_of(target: str) -> tuple[str, ...] | None:
    """What a config may say to the component `target`; None for one that takes any argument, or says nothing of it."""
    component = locate(target)
    try:
        parameters = signature(component).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return None
    return (*(one.name for one in parameters), "_disabled_", "_desc_", "_requires_", "_mode_")

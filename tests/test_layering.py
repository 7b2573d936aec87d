"""Imports run one way: data, features, networks, losses, training, evaluation, growth."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "semivae_bundle"
LAYERS = ("data", "features", "networks", "losses", "training", "evaluation", "growth")
FILES = sorted(path for layer in LAYERS for path in (PACKAGE / layer).rglob("*.py"))
# What networks and losses must not know: files, tables, and the names of features.
FOREIGN = ("pathlib", "os", "io", "json", "csv", "pandas", "nibabel", "semivae_bundle.data", "semivae_bundle.features")


def imports_of(source: str) -> set[str]:
    """Every module that the source imports, anywhere in it; `from a import b` gives a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"line {node.lineno}: a relative import hides the layer; name it in full")
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def layers_of(modules: set[str]) -> set[str]:
    parts = [module.split(".") for module in modules if module.startswith("semivae_bundle.")]
    return {part[1] for part in parts if part[1] in LAYERS}


def test_the_walk_sees_imports_wherever_they_stand() -> None:
    source = "import os.path\ndef f():\n    from semivae_bundle.data import files\nfrom semivae_bundle import growth\n"
    assert imports_of(source) >= {"os.path", "semivae_bundle.data.files", "semivae_bundle.growth"}
    assert layers_of(imports_of(source)) == {"data", "growth"}


def test_every_subpackage_has_its_layer() -> None:
    subpackages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert subpackages == set(LAYERS)
    assert len(FILES) > 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_its_own_layer_and_earlier_ones(file: Path) -> None:
    layer = file.relative_to(PACKAGE).parts[0]
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    assert layers_of(imports_of(file.read_text())) <= allowed


@pytest.mark.parametrize("layer", ["networks", "losses"])
def test_networks_and_losses_see_tensors_and_no_files_tables_or_features(layer: str) -> None:
    for file in (PACKAGE / layer).rglob("*.py"):
        modules = imports_of(file.read_text())
        foreign = {module for module in modules if any(module == f or module.startswith(f"{f}.") for f in FOREIGN)}
        assert not foreign, file.name


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("__init__.py")), ids=lambda file: file.parent.name)
def test_init_files_hold_the_version_at_most(file: Path) -> None:
    body = ast.parse(file.read_text()).body
    named = [node for node in body if not isinstance(node, ast.Expr)]
    if file.parent == PACKAGE:
        assert len(named) == 1
        assert ast.unparse(named[0]).startswith("__version__")
    else:
        assert body == []


@pytest.mark.parametrize("module", ["data.phantom.cohort", "data.checks", "features.table"])
def test_what_workers_import_is_light(module: str) -> None:
    # Every worker process begins by importing it; MONAI alone takes four seconds, on every core.
    code = f"import sys, semivae_bundle.{module}; print('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

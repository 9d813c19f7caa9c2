"""The package can be built and published."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def test_the_wheel_and_the_source_distribution_are_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True)
    [wheel], [source] = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    modules = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "doorward").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert inside == modules | {"doorward/py.typed"}
        archive.extractall(tmp_path / "installed")
    [info] = (tmp_path / "installed").glob("*.dist-info")
    metadata = PathDistribution(info).metadata
    assert (metadata["Name"], metadata["License-Expression"]) == ("doorward", "MIT OR Apache-2.0")
    assert metadata["Description-Content-Type"] == "text/markdown" and "Requires-Python" in metadata
    assert sorted(metadata.get_all("License-File") or []) == ["LICENSE-APACHE", "LICENSE-MIT"]
    assert all("extra ==" in line for line in metadata.get_all("Requires-Dist") or [])
    with tarfile.open(source) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert modules | {"README.md", "LICENSE-MIT", "LICENSE-APACHE", "pyproject.toml"} <= names


def test_the_client_alone_needs_no_other_package(tmp_path: Path) -> None:
    code = "import doorward, doorward.wsgi, doorward.asgi; print(doorward.Validator)"
    command = [sys.executable, "-S", "-c", code]
    subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True, env={"PYTHONDONTWRITEBYTECODE": "1"})


def test_the_version_is_that_of_the_server() -> None:
    cargo = (PACKAGE.parents[1] / "Cargo.toml").read_text()
    [ours] = re.findall(r'^version = "(.*)"$', (PACKAGE / "pyproject.toml").read_text(), re.MULTILINE)
    assert f'version = "{ours}"' in cargo

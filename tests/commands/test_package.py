"""What `pip install .` installs: every file of the package, so that the command works away from its sources.

Only the translators' template (`.pot`) stays behind.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "gateway", source / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir"]
    done = subprocess.run([*pip, str(tmp_path), str(source)], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("gateway/")}
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert "gateway = gateway.cli:main" in archive.read(entry_points).decode()
    files = (path for path in (source / "gateway").rglob("*") if path.is_file())
    assert packed == {str(path.relative_to(source)) for path in files if path.suffix != ".pot"}

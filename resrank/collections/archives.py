"""Unpack an archive that need not be trusted: no path leaves its folder, no size surprises."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from filelock import FileLock
from tqdm import tqdm

from resrank.io.atomic import atomic_folder
from resrank.io.text import DataError

UNREADABLE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError,
    NotImplementedError,  # its method of compression
    RuntimeError,  # encrypted
)  # fmt: skip


def unpack(archive: Path, limit: int) -> Path:
    """Return the folder of a zip's content beside it, unpacked once; whole or not there.

    limit: most bytes that the content may have. The sizes that the zip declares are checked before
    anything is written. Raises DataError on more, on a path that leads outside, on a link, and on
    a damaged zip.
    """
    folder = archive.with_name(archive.name + ".unpacked")
    with FileLock(archive.with_name(archive.name + ".unpacking.lock")):
        if folder.is_dir():
            return folder
        for left in folder.parent.glob(f".{folder.name}.*.partial"):  # by a kill
            shutil.rmtree(left, ignore_errors=True)
        try:
            with zipfile.ZipFile(archive) as contents:
                members = contents.infolist()
                _check(archive, members, limit)
                with atomic_folder(folder) as out:
                    for member in tqdm(members, desc=f"unpacking {archive.name}", unit="file"):
                        _write(contents, member, out)
        except UNREADABLE as error:
            raise DataError(f"{archive}: a zip that cannot be read ({error})") from error
    return folder


def _check(archive: Path, members: list[zipfile.ZipInfo], limit: int) -> None:
    total = sum(member.file_size for member in members)
    if total > limit:
        raise DataError(
            f"{archive}: its content would have {total:,} bytes, more than the {limit:,} that are "
            "allowed; raise `unpacked_bytes` if that is right"
        )
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        drive = PureWindowsPath(member.filename).drive
        outside = path.is_absolute() or ".." in path.parts or bool(drive)
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            what = "a link" if not outside else "a path outside its folder"
            raise DataError(f"{archive}: refused, it holds {what}: {member.filename!r}")


def _write(contents: zipfile.ZipFile, member: zipfile.ZipInfo, out: Path) -> None:
    name = member.filename.replace("\\", "/")
    target = out / PurePosixPath(name)
    if name.endswith("/"):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with contents.open(member) as source, target.open("wb") as written:
        shutil.copyfileobj(source, written, 1 << 20)

#!/usr/bin/env python3
"""Brings wgpu-native, the library behind webgpu.h: fetch_webgpu.py FOLDER

It comes inside the Python wheel `wgpu`, which is fetched by pip, held against the hashes below and unpacked to FOLDER:
webgpu.h, wgpu.h and libwgpu_native.so (or .dylib). Nothing of the wheel is installed.
"""

import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

VERSION = "0.32.0"  # wgpu-native 29.0.1.1
SHA256 = [
    "6499a31b5a29a10b4f1089fea4a0806411f42605fa86b6c0b543a07ca0de8568",  # Linux x86_64
    "00454ba1bc794d38c8365f4ad29f381b88ce0a7f115133bfaa6f1dfad7eb2764",  # Linux aarch64
    "cfd3967616a3c42e2b7a234407df38668c697f5aa505d56e0814d647b6746302",  # macOS x86_64
    "6c3f654ea01ab2de8a2903354ced02a3c6ef161d0fba1aa4fea60aa86d021908",  # macOS arm64
]


def fetch(folder):
    requirement = f"wgpu=={VERSION} " + " ".join(f"--hash=sha256:{digest}" for digest in SHA256)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = pathlib.Path(scratch, "requirements.txt")
        wanted.write_text(requirement + "\n")
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--only-binary=:all:", "--require-hashes", "-r", wanted, "-d", scratch], check=True)
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        suffix = "dylib" if platform.system() == "Darwin" else "so"
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                part = pathlib.PurePath(name)
                if part.parent != pathlib.PurePath("wgpu/resources"):
                    continue
                if part.suffix == f".{suffix}" and part.stem.startswith("libwgpu_native"):
                    target = folder / f"libwgpu_native.{suffix}"
                elif part.name in ("webgpu.h", "wgpu.h"):
                    target = folder / part.name
                else:
                    continue
                # Renamed into place: a program that runs from the old one keeps it.
                partial = target.with_suffix(".partial")
                with archive.open(name) as source, open(partial, "wb") as out:
                    shutil.copyfileobj(source, out)
                partial.replace(target)
    # Not "version": that is a header of C++, and this folder lies on the include path.
    (folder / "version.txt").write_text(VERSION + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    destination = pathlib.Path(sys.argv[1])
    version = destination / "version.txt"
    if not version.exists() or version.read_text().strip() != VERSION:
        fetch(destination)

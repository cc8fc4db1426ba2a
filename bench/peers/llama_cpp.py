"""llama.cpp as a measuring stick: fetches the source bundle inside the npm package node-llama-cpp and builds two tools."""

import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "peers"
PACKAGE = "node-llama-cpp"
VERSION = json.loads((HERE / "package.json").read_text())["devDependencies"][PACKAGE]
SHA512 = "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=="
TOOLS = ["llama-bench", "llama-perplexity"]

# As its own users build it, natively for this machine. OpenMP is off so that a library that happens to be installed does
# not change the figures; AMX is off because wisp's own AMX path is measured separately (the flags do nothing elsewhere).
NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "OFF",
    "GGML_NATIVE": "ON",
    "GGML_OPENMP": "OFF",
    "GGML_CCACHE": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_SERVER": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_OPENSSL": "OFF",
}


def run(*command, **options):
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, **options)


def clang():
    """(C, C++) of the newest installed Clang of at least 19, which is also what wisp is built with; else the system's."""
    for version in range(30, 18, -1):
        if shutil.which(f"clang-{version}") and shutil.which(f"clang++-{version}"):
            return f"clang-{version}", f"clang++-{version}"
    return "cc", "c++"


def fetch_source():
    source = BUILD / "llama.cpp"
    if source.exists():
        return source
    BUILD.mkdir(parents=True, exist_ok=True)
    run("npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", cwd=BUILD)
    archive = BUILD / f"{PACKAGE}-{VERSION}.tgz"
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise SystemExit(f"{archive.name} is not the package that was pinned: sha512-{digest}")
    with tarfile.open(archive) as package:
        bundle = package.getmember("package/llama/gitRelease.bundle")
        bundle.name = "llama.bundle"
        package.extract(bundle, BUILD)
    run("git", "-c", "advice.detachedHead=false", "clone", "--quiet", BUILD / "llama.bundle", source)
    archive.unlink()
    return source


def build():
    """Returns the folder of the built tools."""
    source, folder = fetch_source(), BUILD / "llama-build"
    binaries = folder / "bin"
    if all((binaries / tool).exists() for tool in TOOLS):
        return binaries
    c, cxx = clang()
    options = dict(OPTIONS, CMAKE_C_COMPILER=c, CMAKE_CXX_COMPILER=cxx)
    if "x86_64" in subprocess.run([c, "-dumpmachine"], capture_output=True, text=True, check=True).stdout and "clang" in c:
        options.update(CMAKE_C_FLAGS=NO_AMX, CMAKE_CXX_FLAGS=NO_AMX)
    run("cmake", "-G", "Ninja", "-S", source, "-B", folder, *(f"-D{name}={value}" for name, value in options.items()),
        stdout=subprocess.DEVNULL)
    run("ninja", "-C", folder, "--quiet", *TOOLS)
    return binaries

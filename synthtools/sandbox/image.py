"""The runtime image, made of what is at hand: no registry, no Dockerfile, the same bytes from the same inputs.

Two ways to an interpreter: the one that runs now with the shared libraries it needs (`interpreter`), or Debian's own
packages (`debian`). Onto it come this package and the few it needs. `Dockerfile`, beside this file, is for people who
have a registry; its image is used in the same way.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synthtools.cache import code_version
from synthtools.domain import ToolkitCode
from synthtools.sandbox.engine import Engine, EngineError
from synthtools.sandbox.source import source_digest

if TYPE_CHECKING:
    from docker.models.images import Image as DockerImage

Way = Literal["interpreter", "debian"]
REPOSITORY, TOOLKIT_REPOSITORY = "synthtools-runtime", "synthtools-toolkit"
RECIPE = "2"
"""Changes whenever the same inputs would make another image."""
USER = "65532:65532"
PYTHON, SITE, LIBRARIES, TOOLKIT = "/opt/python/bin/python3", "/opt/site", "/opt/lib", "/toolkit"
ENTRYPOINT = (PYTHON, "-S", "-s", "-P", "-B", f"{SITE}/synthtools/sandbox/zygote.py")

_NEEDED = ("apsw", "orjson", "pydantic", "pydantic-core", "annotated-types", "typing-extensions", "typing-inspection", "PyYAML", "sqlglot")
_STDLIB_LEFT_OUT = frozenset(
    "test tests idlelib tkinter turtledemo turtle.py ensurepip lib2to3 pydoc_data site-packages dist-packages __pycache__ venv distutils".split()
)
_DEBIAN = (
    "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 zlib1g libexpat1 libsqlite3-0 libssl3 libffi8 libuuid1 libbz2-1.0 "
    "liblzma5 libgcc-s1 libstdc++6"
).split()
_DEBIAN_KEPT = ("usr/bin/python3.11", "lib", "lib64", "usr/lib")


@dataclass(frozen=True, slots=True)
class RuntimeImage:
    """An image that containers can be started from."""

    id: str
    """`sha256:…`, as the engine knows it."""
    tag: str
    content: str
    """SHA-256 of the file tree, as a tar."""
    bytes: int
    built: bool
    """Whether it was made now; False: it was there."""


def runtime_image(engine: Engine, way: Way = "interpreter", *, fresh: bool = False) -> RuntimeImage:
    """The runtime image, built where there is none of this recipe yet. Raises EngineError where it cannot be."""
    recipe = recipe_of(way)
    if not fresh:
        found = engine.images(f"synthtools.recipe={recipe}")
        if found:
            return _described(found[0], built=False)
    with tempfile.TemporaryDirectory(prefix="synthtools-image-") as folder:
        root = Path(folder)
        _make_tree(root, way)
        data = _tar(root)
    content = hashlib.sha256(data).hexdigest()
    same = [image for image in engine.images(f"synthtools.recipe={recipe}") if image.labels["synthtools.content"] == content]
    if same:
        return _described(same[0], built=False)
    changes = [
        f"USER {USER}",
        f"ENTRYPOINT [{', '.join(map(_quoted, ENTRYPOINT))}]",
        f"ENV LD_LIBRARY_PATH={LIBRARIES}",
        "ENV PYTHONHASHSEED=0",
        "WORKDIR /",
        f"LABEL synthtools.recipe={recipe}",
        f"LABEL synthtools.content={content}",
        f"LABEL synthtools.way={way}",
    ]
    return _described(engine.import_image(data, REPOSITORY, content[:16], changes), built=True)


def toolkit_image(engine: Engine, base: str, code: ToolkitCode) -> str:
    """The id of a runtime image with a toolkit's files in TOOLKIT, where neither a worker nor the host's paths come into it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in sorted(code.files.items()):
            entry = tarfile.TarInfo(f"{TOOLKIT[1:]}/{name}")
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))
    identity = hashlib.sha256(base.encode() + data.getvalue()).hexdigest()
    found = engine.images(f"synthtools.toolkit={identity}")
    if found:
        return str(found[0].id)
    changes = [f"LABEL synthtools.toolkit={identity}", "LABEL synthtools.recipe=none"]  # it is no runtime image, though made of one
    return str(engine.derive_image(base, data.getvalue(), TOOLKIT_REPOSITORY, identity[:16], changes).id)


def recipe_of(way: Way) -> str:
    """What goes into an image, as one short name: equal names are equal images."""
    parts = [RECIPE, way, sys.version, sysconfig.get_platform(), code_version(), source_digest(), *(_version(name) for name in _NEEDED)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _version(name: str) -> str:
    try:
        return f"{name} {distribution(name).version}"
    except PackageNotFoundError:
        raise EngineError(f"the package {name} is not installed here, so no image can be made; pip install synthtools") from None


def _described(image: DockerImage, *, built: bool) -> RuntimeImage:
    labels = image.labels
    return RuntimeImage(str(image.id), image.tags[0] if image.tags else str(image.id), labels["synthtools.content"], image.attrs["Size"], built)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _make_tree(root: Path, way: Way) -> None:
    for folder in ("tmp", "link", "toolkit", "proc", "sys", "dev", "etc", "opt/python/bin", SITE[1:], LIBRARIES[1:]):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text("worker:x:65532:65532:::\n", encoding="ascii")
    if way == "debian":
        _debian(root)
    else:
        _interpreter(root)
    _packages(root / SITE[1:])
    _libraries(root, way)
    _compile(root)


def _interpreter(root: Path) -> None:
    """The running interpreter, its library, and the loader that starts it."""
    own = Path(os.path.realpath(sys.executable))
    shutil.copy2(own, root / PYTHON[1:])
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, root / "opt/python/lib" / library.name, ignore=_left_out, symlinks=False)


def _left_out(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in _STDLIB_LEFT_OUT or name.startswith("config-") or name.endswith((".pyc", ".a", ".exe"))}


def _debian(root: Path) -> None:
    """Debian's interpreter, from its packages; it must be of the version that runs here, for ours are compiled for that."""
    if sys.version_info[:2] != (3, 11):
        raise EngineError(f"--way debian brings Python 3.11, and this is {sys.version_info[0]}.{sys.version_info[1]}; use --way interpreter")
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise EngineError(f"--way debian needs {tool}, which is not here; use --way interpreter")
    with tempfile.TemporaryDirectory(prefix="synthtools-debs-") as folder:
        got = subprocess.run(["apt-get", "download", *_DEBIAN], cwd=folder, capture_output=True, text=True, check=False)
        if got.returncode:
            raise EngineError(f"apt-get download failed: {got.stderr.strip().splitlines()[-1:]}; try apt-get update, or --way interpreter")
        unpacked = Path(folder) / "root"
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
        for kept in _DEBIAN_KEPT:
            source, target = unpacked / kept, root / kept
            if source.is_dir():
                shutil.copytree(source, target, ignore=_left_out, symlinks=True, dirs_exist_ok=True)
            elif source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    (root / PYTHON[1:]).symlink_to("/usr/bin/python3.11")


def _packages(site: Path) -> None:
    """This package, and the few that it needs inside."""
    for name in _NEEDED:
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            noted = ".dist-info" in file.parts[0] and file.name != "METADATA"  # by the installer, of this very installation
            if noted or ".." in file.parts or source.suffix in (".pyc", ".pyi") or not source.is_file():
                continue
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    shutil.copytree(Path(__file__).parent.parent, site / "synthtools", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))


def _libraries(root: Path, way: Way) -> None:
    """The shared libraries that any binary in the tree needs, and the loader; Debian's packages bring the common ones."""
    binaries = [file for file in root.rglob("*") if file.is_file() and not file.is_symlink() and (file.suffix == ".so" or ".so." in file.name)]
    if way == "interpreter":
        binaries.append(root / PYTHON[1:])
    there = {file.name for folder in ("lib", "lib64", "usr/lib") for file in (root / folder).rglob("*.so*")} if way == "debian" else set()
    for needed in sorted(set(_needed_by(binaries))):
        if needed.name in there:
            continue
        target = root / (str(needed)[1:] if needed.name.startswith("ld-linux") else f"{LIBRARIES[1:]}/{needed.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(needed), target)


def _needed_by(binaries: list[Path]) -> Iterator[Path]:
    for start in range(0, len(binaries), 50):
        listed = subprocess.run(["ldd", *binaries[start : start + 50]], capture_output=True, text=True, check=False).stdout
        for match in re.finditer(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)", listed):
            yield Path(match.group(1))


def _compile(root: Path) -> None:
    """Byte code beside every source, checked by nothing: the image does not change."""
    arguments = ["-I", "-S", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/", root]
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, env={"PYTHONHASHSEED": "0"})
    if done.returncode not in (0, 1):
        raise EngineError(f"the image's byte code could not be made: {done.stderr.strip()[-200:]}")


def _tar(root: Path) -> bytes:
    """The tree as a tar whose bytes depend on nothing else: sorted, owned by root, no times, nothing set-uid."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            entry = tar.gettarinfo(path, arcname=path.relative_to(root).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = 0
            entry.mode = 0o1777 if entry.name == "tmp" else 0o755 if entry.isdir() or entry.mode & 0o111 else 0o644
            if entry.isfile():
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            elif entry.isdir() or entry.issym():
                tar.addfile(entry)
    return buffer.getvalue()

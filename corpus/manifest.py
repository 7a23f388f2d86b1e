"""What a run was made from, and what came out of it: fingerprint and manifest.

The fingerprint decides whether a half-done or finished run may be continued: recipe, inputs, assets and code. The manifest is
written last; its existence means that the corpus is whole. Neither holds a time, a host or an absolute path.

    print(read(locate("build/demo/corpus"))["outcomes"])
"""

import hashlib
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xxhash

from corpus.errors import AssetError, InputError
from corpus.recipe import Recipe
from corpus.sources.listing import Examined
from corpus.storage import Place, locate
from corpus.version import code_version

FORMAT = "gristmill corpus 1"
NAME = "manifest.json"


def read(corpus: Place) -> dict[str, Any]:
    """The manifest of a finished corpus. Raises InputError where there is none."""
    place = corpus / NAME
    if not place.exists():
        raise InputError("this is no finished corpus: it has no manifest.json", where=corpus.uri, hint="run `gristmill curate` to its end")
    try:
        manifest = json.loads(place.read_bytes())
    except ValueError as error:
        raise InputError("the manifest is damaged", where=place.uri, hint="run `gristmill curate` again with --overwrite") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError("the manifest is of another format", where=place.uri, hint=f"expected {FORMAT!r}")
    return manifest


def fingerprint(recipe: Recipe, examined: Iterable[Examined], parents: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """What decides the result: equal fingerprints, equal bytes. ``parents``: digests of what was made before and is the input now."""
    return {
        "recipe": recipe.to_data(),
        "inputs": [
            {"input": entry.file.input, "file": entry.file.file, "size_bytes": entry.file.size_bytes, "sha256": entry.file.sha256}
            | ({"source": entry.source} if entry.source >= 0 else {"unread": entry.why})
            for entry in examined
        ],
        "assets": {path: _asset_digest(path) for path in recipe.assets()},
        "code": {"gristmill": code_version(), **_foreign_code(recipe)},
        **({"parents": [dict(parent) for parent in parents]} if parents else {}),
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two fingerprints, a few words each; empty if nothing did."""
    changed = []
    if old["recipe"] != new["recipe"]:
        keys = [key for key in new["recipe"] if old["recipe"].get(key) != new["recipe"][key]]
        changed.append(f"the recipe ({', '.join(keys)})")
    if old["inputs"] != new["inputs"]:
        before = {(entry["file"], entry["sha256"]) for entry in old["inputs"]}
        after = {(entry["file"], entry["sha256"]) for entry in new["inputs"]}
        names = sorted({file for file, _ in before ^ after})
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        changed.append(f"the input ({', '.join(names[:3])}{more})")
    if old["assets"] != new["assets"]:
        changed.append("a model or list file")
    if old["code"] != new["code"]:
        changed.append("the code version")
    if old.get("parents") != new.get("parents"):
        changed.append("the corpus that it is made from")
    return changed


def _asset_digest(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with locate(path).open() as stream:
            while block := stream.read(4 * 2**20):
                digest.update(block)
    except OSError as error:
        raise AssetError("cannot read the file that a step names", where=path, hint=error.strerror or str(error)) from error
    return digest.hexdigest()


def _foreign_code(recipe: Recipe) -> dict[str, str]:
    """Digest of each module of the user's that a step comes from."""
    kinds = {type(part) for part in (*recipe.sources, *recipe.steps, *recipe.corpus)}
    modules = sorted({kind.__module__ for kind in kinds if not kind.__module__.startswith("corpus.")})
    digests = {}
    for module in modules:
        loader = getattr(importlib.import_module(module), "__loader__", None)
        source = loader.get_source(module) if loader and hasattr(loader, "get_source") else None
        digests[module] = xxhash.xxh3_64_hexdigest((source or "").encode())
    return digests

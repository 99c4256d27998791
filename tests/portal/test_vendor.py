"""What we vendor is what we recorded, and no page loads anything from elsewhere."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
MANIFEST = json.loads((STATIC / "vendor" / "manifest.json").read_text())
OURS = [path for folder in ("css", "js", "img") for path in sorted((STATIC / folder).iterdir())]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if "mail" not in path.parts)


@pytest.fixture(scope="module")
def vendor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "scripts" / "vendor.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_vendored_file_is_as_recorded(vendor: ModuleType) -> None:
    assert vendor.drift(MANIFEST) == []


def test_a_changed_or_missing_file_is_reported(vendor: ModuleType, tmp_path: Path) -> None:
    manifest = {
        "packages": [
            {
                "files": [
                    {"from": "a.js", "to": "a.js", "sha256": "0"},
                    {"from": "b", "to": "b", "sha256": "0"},
                ]
            }
        ]
    }
    (tmp_path / "a.js").write_text("changed")
    changed, missing = vendor.drift(manifest, tmp_path)
    assert "a.js differs" in changed
    assert "b is missing" in missing


def test_no_file_lies_beside_the_manifest() -> None:
    recorded = {entry["to"] for package in MANIFEST["packages"] for entry in package["files"]}
    folders = (STATIC / "vendor", ROOT / "tests" / "vendor")
    found = {
        str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*") if path.is_file()
    }
    assert found - recorded == {"static/vendor/manifest.json"}


def test_every_package_names_its_version_and_carries_its_licence() -> None:
    for package in MANIFEST["packages"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"]), package["name"]
        assert any(entry["to"].endswith("/LICENSE") for entry in package["files"]), package["name"]


def test_no_served_script_or_sheet_refers_to_a_source_map() -> None:
    served = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css"}]
    assert [
        path.name
        for path in served
        if re.search(rb"sourceMappingURL=\S+\.map\s*(\*/)?\s*$", path.read_bytes())
    ] == []


def test_no_address_of_another_host_in_our_scripts_and_sheets() -> None:
    allowed = {"http://www.w3.org/2000/svg"}
    for path in OURS:
        assert set(re.findall(r"https?://[^\s\"'`)<>]+", path.read_text())) <= allowed, path.name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_has_nothing_that_the_policy_refuses(path: Path) -> None:
    text = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"\sstyle\s*=", text), "style attribute"
    assert not re.search(r"\son[a-z]+\s*=", text), "event attribute"
    assert not re.search(r"<style\b", text), "inline style sheet"
    assert not re.search(r"hx-on|hx-vals=.js:|\bjavascript:", text), "code in an attribute"
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in tag or "application/json" in tag, tag
    assert not re.search(r"<(script|link|img|iframe|source)\b[^>]*(src|href)=[\"']?(https?:)?//", text), (
        "another host"
    )

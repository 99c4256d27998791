"""What is documented is what there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()


def test_every_setting_of_the_portal_is_documented() -> None:
    source = (ROOT / "portal" / "settings.py").read_text()
    names = set(re.findall(r'env\.(?:text|flag|number|words|secret)\(\s*"(\w+)"', source))
    assert len(names) > 15
    assert sorted(name for name in names if f"`{name}`" not in CONFIGURATION) == []


def test_every_setting_of_the_agent_is_documented() -> None:
    source = (ROOT / "gateways" / "agent" / "settings.py").read_text()
    names = set(re.findall(r'"(GATEHOUSE_\w+)"', source))
    assert len(names) > 8
    documented = set(re.findall(r"`(\w+)`", CONFIGURATION))  # of a secret NAME_FILE the name itself
    assert sorted(name for name in names if not {name, name.removesuffix("_FILE")} & documented) == []


def test_every_setting_of_the_roles_is_documented() -> None:
    source = "".join(
        (ROOT / name).read_text() for name in ("scripts/role", "scripts/backup", "portal/serving.py")
    )
    names = set(re.findall(r'"((?:WEB|WORKER|PG)_[A-Z]+)"', source))
    assert len(names) > 6
    assert sorted(name for name in names if f"`{name}`" not in CONFIGURATION) == []


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_documents_that_the_code_names_are_there() -> None:
    for app in (
        "portal",
        "usage",
        "gateways",
        "subscriptions",
        "apis",
        "aws",
        "teams",
        "audit",
        "embedded",
        "templates",
    ):
        for path in (ROOT / app).rglob("*"):
            if path.suffix in {".py", ".html"}:
                for named in re.findall(r"\bdocs/[a-z-]+\.md", path.read_text()):
                    assert (ROOT / named).exists(), f"{path.relative_to(ROOT)}: {named}"


def test_tests_that_documents_name_are_there() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for named in re.findall(r"`(tests/[\w/.-]+\.py)`", document.read_text()):
            assert (ROOT / named).exists(), f"{document.name}: {named}"

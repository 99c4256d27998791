"""T28: what is kept to be answered again is never answered to another team, another revision or another question."""

from __future__ import annotations

from itertools import count

import pytest

from tests.ai import vendor as vendors
from tests.ai.conftest import runtime, runtime_process, vendor
from tests.ai.runtime_process import RuntimeProcess, prompt, snapshot
from tests.ai.vendor import Vendor

__all__ = ["runtime", "runtime_process", "vendor"]


@pytest.mark.parametrize("turns", [60, pytest.param(1_000, marks=pytest.mark.long)])
def test_two_teams_that_take_turns_never_read_each_others_answers(
    runtime: RuntimeProcess, vendor: Vendor, turns: int
) -> None:
    files = snapshot(vendor.url, prompts=[prompt(cache_s=600)])
    files["grants"].append({**files["grants"][0], "id": "sub_2"})
    files["callers"].append({**files["callers"][0], "id": "sub_2", "team": "team_2"})
    runtime.load(files)
    numbers = count()
    vendor.answers(lambda _asked: vendors.completion(f"answer {next(numbers)}"))
    given: dict[tuple[str, str], set[str]] = {}
    for turn in range(turns):
        team, text = f"sub_{turn % 2 + 1}", f"question {turn // 2 % 10}"
        answer = runtime.call(
            {"text": text, "target_lang": "fr"}, headers={"x-gatehouse-subscription": runtime.id(team)}
        )
        given.setdefault((team, text), set()).add(answer.json()["output"])
    assert all(len(answers) == 1 for answers in given.values()), "each question was answered from the cache"
    assert len(set.union(*given.values())) == len(given) == 20, "and no answer was given to two"
    assert len(vendor.asked) == 20


def test_another_version_of_a_prompt_answers_anew(runtime: RuntimeProcess, vendor: Vendor) -> None:
    values = {"text": "Good morning", "target_lang": "fr"}
    runtime.load(snapshot(vendor.url, prompts=[prompt(cache_s=600)]))
    assert [runtime.call(values).headers["x-ai-cache"] for _ in range(2)] == ["MISS", "HIT"]
    other = prompt(cache_s=600, messages=[{"role": "user", "content": "In {{target_lang}}: {{text}}"}])
    runtime.load(snapshot(vendor.url, prompts=[other]))
    assert runtime.call(values).headers["x-ai-cache"] == "MISS"

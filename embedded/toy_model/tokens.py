"""A byte-pair encoding of our own, in the form that GPT-2's took: what llama.cpp calls `gpt2`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

SPECIAL = ("<|ask|>", "<|answer|>", "<|end|>")
WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
"""GPT-2's words, without its dependency on Unicode's classes in `re`."""


def _shown() -> list[str]:
    """A printable character for each byte, as GPT-2 has it."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


SHOWN = _shown()


class Tokens:
    """Texts as numbers. The special tokens come first, then the bytes, then what `merges` make."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        self.merges = list(merges)
        self.names = [*SPECIAL, *SHOWN, *(left + right for left, right in merges)]
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._word = lru_cache(maxsize=50_000)(self._encoded)

    def encode(self, text: str) -> list[int]:
        return [number for word in WORDS.findall(text) for number in self._word(word)]

    def decode(self, numbers: Iterable[int]) -> str:
        shown = "".join(self.names[number] for number in numbers if number >= len(SPECIAL))
        return bytes(SHOWN.index(one) for one in shown).decode("utf-8", "replace")

    def _encoded(self, word: str) -> tuple[int, ...]:
        parts = _bytes_of(word)
        while len(parts) > 1:
            ranked = [
                (self.ranks.get(pair, len(self.ranks)), place) for place, pair in enumerate(pairwise(parts))
            ]
            rank, place = min(ranked)
            if rank == len(self.ranks):
                break
            parts = [*parts[:place], parts[place] + parts[place + 1], *parts[place + 2 :]]
        return tuple(self.numbers[part] for part in parts)


def learned(texts: Iterable[str], count: int) -> Tokens:
    """The encoding that joins the `count` most frequent pairs, one after the other."""
    words = Counter(word for text in texts for word in WORDS.findall(text))
    parts = {word: _bytes_of(word) for word in words}
    merges: list[tuple[str, str]] = []
    for _ in range(count):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in pairwise(parts[word]):
                pairs[pair] += times
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 10:
            break
        merges.append(best)
        for word, known in parts.items():
            parts[word] = _joined(known, best)
    return Tokens(merges)


def _joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if found and (found[-1], part) == pair:
            found[-1] += part
        else:
            found.append(part)
    return found


def _bytes_of(word: str) -> list[str]:
    return [SHOWN[byte] for byte in word.encode()]

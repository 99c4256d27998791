"""What a dialect owes the runtime: how one vendor is asked, and how its answers are read.

Everything in between is in the form of OpenAI's chat completions, which most vendors speak: a request body without
`model` and `stream`, a `chat.completion`, and `chat.completion.chunk`s.
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from ai.pricing import Usage
from ai.runtime.errors import VendorError, VendorFailure
from ai.runtime.snapshot import Model
from ai.runtime.sse import Event

type Json = dict[str, Any]


class NotSupported(ValueError):
    """The vendor has nothing for what a call asks; the text names it. The call goes to another model, or is refused."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One HTTP request to a vendor: always POST. Only `headers` hold the key."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer as a `chat.completion`; `usage` None where the vendor counted nothing."""

    chat: Json
    usage: Usage | None


class StreamReader(Protocol):
    """Reads the events of one stream. `usage` is what was counted so far, `is_complete` whether its end was seen."""

    usage: Usage | None
    is_complete: bool

    def read(self, event: Event) -> Iterator[Json]:
        """The chunks that an event becomes. Raises VendorError for an error within the stream."""


class Framing(Protocol):
    """Takes a stream of bytes apart into events: server-sent events, or the event stream of AWS."""

    def feed(self, piece: bytes) -> Iterable[Event]: ...

    def rest(self) -> Event | None: ...


class Dialect(Protocol):
    """One way to speak. `passes_chat` says that its streams are OpenAI's, byte for byte."""

    passes_chat: bool

    def chat(self, model: Model, key: str, body: Json, *, stream: bool) -> Outgoing:
        """The request for a chat completion. Raises NotSupported."""

    def embeddings(self, model: Model, key: str, body: Json) -> Outgoing:
        """The request for embeddings. Raises NotSupported."""

    def answer(self, body: bytes) -> Answer:
        """A whole answer, status 200. Raises VendorError where it is an error all the same, or no answer."""

    def embedded(self, body: bytes) -> Answer:
        """A whole answer to `embeddings`, in OpenAI's form. Raises VendorError."""

    def framing(self) -> Framing:
        """What takes its streams apart."""

    def reader(self) -> StreamReader:
        """A reader for one stream."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> VendorFailure:
        """What an answer that is no success says."""


MOST_MESSAGE_CHARACTERS = 500


def malformed(why: str) -> VendorError:
    """An answer that is none."""
    return VendorError(VendorFailure(502, f"The model's answer cannot be read: {why}.", "malformed"))


class _Reading:
    """As a class: a generator would be made anew for every chunk of a stream."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyError | IndexError | TypeError | AttributeError | ValueError):
            raise malformed(f"it is not of the expected form ({type(error).__name__})") from None


_READING = _Reading()


def reading() -> _Reading:
    """Within it what is not of the vendor's own form is a VendorError: models and vendors lie."""
    return _READING


@contextmanager
def asking() -> Iterator[None]:
    """Within it a body that is not of the form of a chat completion is refused: callers send anything."""
    try:
        yield
    except NotSupported:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else "a part of it is of another kind"
        raise NotSupported(f"a body that is not of the form of a chat completion: {what}") from None


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """How long the vendor asks to wait; 0 where it does not say. RFC 9110 10.2.3, seconds only, and OpenAI's in ms."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, min(3600.0, float(headers.get(name, "")) / divisor))
        except ValueError:
            continue
    return 0.0


def joined_url(base: str, path: str) -> str:
    """`path` under `base`, which has no slash at its end."""
    return f"{base}/{path}"

"""What the toy learns: conversations of our own making, each with the answer to it."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

from embedded.toy_model import phrases
from embedded.toy_model.phrases import said
from embedded.toy_model.words import LANGUAGES, translated

CATEGORY_KEYS = (
    "category",
    "category",
    "category",
    "class",
    "topic",
    "team",
    "queue",
    "label",
    "type",
    "kind",
)
SENTIMENT_KEYS = ("sentiment", "sentiment", "sentiment", "mood", "tone")
PRIORITY_KEYS = ("priority", "priority", "urgency")
TRANSLATION_KEYS = ("translation", "translation", "translated", "text", "output", "result")
SORT, FEEL, URGE, TRANSLATE, ANYTHING = (
    phrases.ORDERS[name] for name in ("sort", "feel", "urge", "translate", "anything")
)


@dataclass(frozen=True, slots=True)
class Example:
    """Messages without roles, and the answer. `kind` is what was asked for, `json` whether in JSON."""

    messages: tuple[str, ...]
    answer: str
    kind: str


def example(dice: random.Random) -> Example:
    """One conversation."""
    kinds = (_ticket,) * 9 + (_review,) * 4 + (_translation,) * 6 + (_question,)
    return dice.choice(kinds)(dice)


def ticket(dice: random.Random) -> tuple[str, dict[str, str]]:
    """A support ticket and what there is to say about it."""
    category = dice.choice(tuple(phrases.TICKETS))
    body = said(dice.choice(phrases.TICKETS[category]), dice)
    sentiment = dice.choice(("negative", "positive", "neutral", "neutral"))
    priority = dice.choice(("high", "low", "normal", "normal"))
    asides = []
    if sentiment in phrases.TONES:
        asides.append(said(phrases.TONES[sentiment], dice))
    if priority in phrases.URGENCY:
        asides.append(said(phrases.URGENCY[priority], dice))
    sentences = [body, *asides]
    dice.shuffle(sentences)
    text = " ".join(_sentence(one, dice) for one in sentences)
    text = dice.choice(phrases.GREETINGS) + text + dice.choice(phrases.CLOSINGS)
    reply = {"positive": "Thank you! ", "negative": "We are sorry. ", "neutral": ""}[
        sentiment
    ] + phrases.REPLIES[category]
    return _as_typed(text, dice), {
        "category": category,
        "sentiment": sentiment,
        "priority": priority,
        "reply": reply,
    }


def review(dice: random.Random) -> tuple[str, str]:
    """A remark on something, and its sentiment."""
    sentiment = dice.choice(tuple(phrases.REVIEWS))
    lines = [said(dice.choice(phrases.REVIEWS[sentiment]), dice)]
    if dice.random() < 0.3:
        lines.append(said(dice.choice(phrases.REVIEWS[dice.choice((sentiment, "neutral"))]), dice))
    dice.shuffle(lines)
    return _as_typed(" ".join(_sentence(line, dice) for line in lines), dice), sentiment


def _ticket(dice: random.Random) -> Example:
    text, known = ticket(dice)
    if dice.random() < 0.2:
        kind, orders = dice.choice((("category", SORT), ("sentiment", FEEL), ("priority", URGE)))
        return Example(
            _asked(said(dice.choice(orders), dice), text, dice, must_say=True), known[kind], f"ticket {kind}"
        )
    keys = [
        (dice.choice(CATEGORY_KEYS), known["category"]),
        (dice.choice(SENTIMENT_KEYS), known["sentiment"]),
        (dice.choice(PRIORITY_KEYS), known["priority"]),
        ("reply", known["reply"]),
    ]
    chosen = dice.sample(keys, dice.choice((1, 2, 2, 3, 3, 4)))
    order = said(dice.choice((*SORT, *SORT, *FEEL, *URGE, *ANYTHING)), dice)
    return Example(_asked(order, text, dice), _json(chosen), "ticket JSON")


def _review(dice: random.Random) -> Example:
    text, sentiment = review(dice)
    order = said(dice.choice(FEEL), dice)
    if dice.random() < 0.5:
        return Example(_asked(order, text, dice, must_say=True), sentiment, "sentiment")
    order = dice.choice((order, order, dice.choice(ANYTHING)))
    return Example(
        _asked(order, text, dice), _json([(dice.choice(SENTIMENT_KEYS), sentiment)]), "sentiment JSON"
    )


def _translation(dice: random.Random) -> Example:
    english, *others = translated(dice)
    number = dice.randrange(len(LANGUAGES))
    target, answer = LANGUAGES[number], others[number]
    answer = _capital(answer)
    if dice.random() < 0.6:
        english = _capital(english)
    if dice.random() < 0.4:
        english += (
            "?" if english.lower().startswith(("where", "how are", "what time")) else dice.choice((".", "!"))
        )
    order = said(dice.choice(TRANSLATE), dice).replace("{target}", target)
    asked = _asked(order, english, dice, must_say=True)
    if dice.random() < 0.5:
        return Example(asked, answer, f"to {target}")
    pairs = [(dice.choice(TRANSLATION_KEYS), answer)]
    if dice.random() < 0.3:
        pairs.insert(dice.randrange(2), (dice.choice(("language", "target")), target))
    return Example(asked, _json(pairs), f"to {target}, JSON")


def _question(dice: random.Random) -> Example:
    return Example(
        (_as_typed(_sentence(said(dice.choice(phrases.QUESTIONS), dice), dice), dice),),
        phrases.MODEST,
        "question",
    )


def _asked(order: str, text: str, dice: random.Random, *, must_say: bool = False) -> tuple[str, ...]:
    """Instruction and text as prompts put them: apart or in one message, fenced or not, with a remark beside."""
    if dice.random() < 0.3:
        name = dice.choice(("text", "ticket", "message", "review", "input", "body"))
        mark = base64.b32encode(dice.randbytes(10)).decode().lower()
        text = f"<{name}-{mark}>\n{text}\n</{name}-{mark}>"
    elif dice.random() < 0.2:
        text = f"{dice.choice(('Text', 'Ticket', 'Message', 'Review', 'Input'))}: {text}"
    if dice.random() < 0.4:
        words, colon = dice.choice(("Channel", "It came by", "Received by", "From")), dice.choice((":", ""))
        channel = f"{words}{colon} {dice.choice(phrases.CHANNELS)}{dice.choice(('', '.'))}"
        place = dice.randrange(4)
        order = f"{order} {channel}" if order and place < 2 else order
        text = f"{channel}\n{text}" if place == 2 else f"{text}\n{channel}" if place == 3 else text
    if dice.random() < 0.3:
        order = f"{order} {dice.choice(ANYTHING)}".strip()
    if not order or (not must_say and dice.random() < 0.1):
        return (text,)
    return (
        (order, text)
        if dice.random() < 0.65
        else (f"{order}{dice.choice((' ', chr(10), chr(10) * 2))}{text}",)
    )


def _json(pairs: list[tuple[str, str]]) -> str:
    mixed: Mapping[str, str] = dict(pairs)
    return json.dumps(mixed, ensure_ascii=False)


def _sentence(text: str, dice: random.Random) -> str:
    mark = (
        "?"
        if text.lower().startswith(
            ("where", "when", "how", "why", "can ", "could", "do ", "is ", "may ", "what", "will", "are ")
        )
        else "."
    )
    return _capital(text) + dice.choice((mark, mark, "!" if mark == "." else "?", ""))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _as_typed(text: str, dice: random.Random) -> str:
    """People do not always type well."""
    chance = dice.random()
    if chance < 0.12:
        return text.lower()
    if chance < 0.15:
        return text.upper()
    if chance < 0.25 and len(text) > 12:
        place = dice.randrange(4, len(text) - 4)
        return text[:place] + text[place + 1 :]
    return text

"""Trains the toy model and writes toy.gguf beside this file: `scripts/toy-model train`.

The same seed gives the same sentences, weights at the start and order of steps; on the same versions and processor
also the same file.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import jax
import jax.numpy as jnp
import numpy as np

from embedded.toy_model.examples import Example, example
from embedded.toy_model.network import Shape, Weights, fresh, scores
from embedded.toy_model.tokens import Tokens, learned

FILE = Path(__file__).with_name("toy.gguf")
SEED = 20_26
MERGES = 1100
LENGTHS = (48, 64, 96, 128, 192)
ROWS = 32
STEPS = 2600
WARM_UP, PEAK = 100, 3e-3
OF_PROMPT = 0.03
"""What a token of the question weighs against one of the answer."""
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}<|answer|>{{ message['content'] }}<|end|>"
    "{% else %}<|ask|>{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|answer|>{% endif %}"
)

type Batch = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Learn, tell how it goes, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--file", type=Path, default=FILE)
    options = parser.parse_args()
    dice = random.Random(SEED)  # noqa: S311  the same each time, on purpose
    tokens = learned(_texts(dice, 12_000), MERGES)
    shape = Shape(vocabulary=len(tokens.names))
    weights = trained(tokens, shape, options.steps, dice)
    write(options.file, weights, tokens, shape)


def trained(tokens: Tokens, shape: Shape, steps: int, dice: random.Random) -> Weights:
    """The weights after `steps` batches."""
    weights = fresh(shape, SEED)
    moments = (jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights))
    began, lately = time.monotonic(), 0.0
    for number, (rows, counts) in zip(range(steps), batches(tokens, dice), strict=False):
        weights, moments, loss = _step(
            weights, moments, rows, counts, _rate(number, steps), number + 1, shape
        )
        lately = 0.98 * lately + 0.02 * float(loss)
        if (number + 1) % 100 == 0:
            shown = lately / (1 - 0.98 ** (number + 1))
            print(
                f"step {number + 1}/{steps}  loss {shown:.4f}  {time.monotonic() - began:.0f} s", flush=True
            )
    return weights


def batches(tokens: Tokens, dice: random.Random) -> Iterator[Batch]:
    """Rows of about the same length together: their numbers, and what each of them counts."""
    braces = frozenset(number for number, name in enumerate(tokens.names) if name.startswith("{"))
    waiting: dict[int, list[tuple[list[int], int]]] = {length: [] for length in LENGTHS}
    while True:
        question, answer = encoded(tokens, example(dice))
        whole = question + answer
        fitting = [length for length in LENGTHS if len(whole) <= length]
        if not fitting:
            continue
        rows = waiting[fitting[0]]
        rows.append((whole, len(question)))
        if len(rows) == ROWS:
            yield _filled(rows, fitting[0], braces)
            rows.clear()


def encoded(tokens: Tokens, one: Example) -> tuple[list[int], list[int]]:
    """The question as TEMPLATE puts it, and the answer with its end."""
    ask, reply, end = range(3)
    question = [number for message in one.messages for number in (ask, *tokens.encode(message))]
    return [*question, reply], [*tokens.encode(one.answer), end]


def _filled(rows: Sequence[tuple[list[int], int]], length: int, braces: frozenset[int]) -> Batch:
    numbers = np.full((len(rows), length), 2, np.int32)
    counts = np.zeros((len(rows), length), np.float32)
    for place, (whole, question) in enumerate(rows):
        numbers[place, : len(whole)] = whole
        counts[place, 1:question] = OF_PROMPT
        counts[place, question : len(whole)] = 1
        if whole[question] in braces:
            # Who wants JSON makes the server begin with it; the model itself would rather say the word alone.
            counts[place, question] = 0
    return numbers, counts


def _rate(number: int, steps: int) -> float:
    if number < WARM_UP:
        return PEAK * (number + 1) / WARM_UP
    return float(PEAK * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * (number - WARM_UP) / (steps - WARM_UP)))))


def _loss(weights: Weights, rows: jax.Array, counts: jax.Array, shape: Shape) -> jax.Array:
    likely = jax.nn.log_softmax(scores(weights, rows[:, :-1], shape))
    missed = -jnp.take_along_axis(likely, rows[:, 1:, None], -1)[..., 0]
    return jnp.sum(missed * counts[:, 1:]) / jnp.sum(counts[:, 1:])


def _one_step(
    weights: Weights, moments: Any, rows: Any, counts: Any, rate: Any, number: Any, shape: Shape
) -> Any:
    """AdamW, gradients cut at 1."""
    loss, slopes = jax.value_and_grad(_loss)(weights, rows, counts, shape)
    size = jnp.sqrt(sum(jnp.sum(one**2) for one in jax.tree.leaves(slopes)))
    slopes = jax.tree.map(lambda one: one * jnp.minimum(1, 1 / (size + 1e-9)), slopes)
    first = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, moments[0], slopes)
    second = jax.tree.map(lambda old, new: 0.98 * old + 0.02 * new**2, moments[1], slopes)

    def moved(weight: Any, mean: Any, square: Any) -> Any:
        change = (mean / (1 - 0.9**number)) / (jnp.sqrt(square / (1 - 0.98**number)) + 1e-9)
        return weight - rate * (change + (0.05 * weight if weight.ndim > 1 else 0))

    return jax.tree.map(moved, weights, first, second), (first, second), loss


_step = jax.jit(_one_step, static_argnames=("shape",))


def write(file: Path, weights: Weights, tokens: Tokens, shape: Shape) -> None:
    """The model as llama.cpp reads it: matrices in 8 bits, the rest in 32."""
    out = gguf.GGUFWriter(file, "llama")
    out.add_name("Gatehouse toy")
    out.add_description("A toy of the demo: sorts short tickets, tells moods, translates a few words.")
    out.add_license("Apache-2.0")
    out.add_context_length(shape.context)
    out.add_embedding_length(shape.width)
    out.add_block_count(shape.layers)
    out.add_feed_forward_length(shape.inner)
    out.add_head_count(shape.heads)
    out.add_head_count_kv(shape.heads)
    out.add_layer_norm_rms_eps(shape.epsilon)
    out.add_rope_freq_base(shape.base)
    out.add_rope_dimension_count(shape.head)
    out.add_vocab_size(shape.vocabulary)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens.names)
    special, usual = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    out.add_token_types([special] * 3 + [usual] * (len(tokens.names) - 3))
    out.add_token_merges([f"{left} {right}" for left, right in tokens.merges])
    out.add_bos_token_id(0)
    out.add_eos_token_id(2)
    out.add_add_bos_token(False)
    out.add_chat_template(TEMPLATE)
    small = gguf.GGMLQuantizationType.Q8_0
    for name, weight in weights.items():
        values = np.asarray(weight, np.float32)
        if values.ndim == 1:
            out.add_tensor(name, values)
        else:
            out.add_tensor(name, gguf.quantize(values, small), raw_dtype=small)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _texts(dice: random.Random, count: int) -> Iterator[str]:
    for _ in range(count):
        one = example(dice)
        yield from (*one.messages, one.answer)


if __name__ == "__main__":
    main()

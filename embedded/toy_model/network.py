"""A llama of three layers in JAX: the very computation that llama.cpp does with the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

type Weights = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """How large it is."""

    vocabulary: int
    layers: int = 3
    width: int = 128
    heads: int = 4
    inner: int = 384
    context: int = 512
    base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.width // self.heads


MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def fresh(shape: Shape, seed: int) -> Weights:
    """Weights under the names that GGUF has for them; matrices as (output, input)."""
    keys = iter(jax.random.split(jax.random.PRNGKey(seed), 1 + shape.layers * len(MATRICES)))
    sizes = dict.fromkeys(MATRICES, (shape.width, shape.width))
    sizes |= {"ffn_gate": (shape.inner, shape.width), "ffn_up": (shape.inner, shape.width)}
    sizes["ffn_down"] = (shape.width, shape.inner)
    weights = {"token_embd.weight": 0.02 * jax.random.normal(next(keys), (shape.vocabulary, shape.width))}
    for layer in range(shape.layers):
        for name, size in sizes.items():
            weights[f"blk.{layer}.{name}.weight"] = size[1] ** -0.5 * jax.random.normal(next(keys), size)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{layer}.{name}.weight"] = jnp.ones(shape.width)
    return {**weights, "output_norm.weight": jnp.ones(shape.width)}


def scores(weights: Weights, numbers: jax.Array, shape: Shape) -> jax.Array:
    """For each place of each row, how likely each token comes next (logits). Rows are filled up at their ends."""
    embedding = weights["token_embd.weight"]
    state = embedding[numbers]
    turn = _turns(shape, numbers.shape[1])
    for layer in range(shape.layers):
        own = {name: weights[f"blk.{layer}.{name}.weight"] for name in (*MATRICES, "attn_norm", "ffn_norm")}
        state = state + _attention(own, _normed(state, own["attn_norm"], shape), turn, shape)
        state = state + _inner(own, _normed(state, own["ffn_norm"], shape))
    return _normed(state, weights["output_norm.weight"], shape) @ embedding.T


def _normed(state: jax.Array, weight: jax.Array, shape: Shape) -> jax.Array:
    return state * jax.lax.rsqrt(jnp.mean(state**2, -1, keepdims=True) + shape.epsilon) * weight


def _inner(own: Weights, state: jax.Array) -> jax.Array:
    return (jax.nn.silu(state @ own["ffn_gate"].T) * (state @ own["ffn_up"].T)) @ own["ffn_down"].T


def _attention(own: Weights, state: jax.Array, turn: jax.Array, shape: Shape) -> jax.Array:
    rows, length, _ = state.shape
    query, key, value = (
        (state @ own[name].T).reshape(rows, length, shape.heads, shape.head) for name in MATRICES[:3]
    )
    query, key = _turned(query, turn), _turned(key, turn)
    near = jnp.einsum("bqhd,bkhd->bhqk", query, key) * shape.head**-0.5
    near = jnp.where(jnp.tril(jnp.ones((length, length), bool)), near, -1e9)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(near, -1), value)
    return mixed.reshape(rows, length, shape.width) @ own["attn_output"].T


def _turns(shape: Shape, length: int) -> jax.Array:
    steps = shape.base ** (-jnp.arange(0, shape.head, 2) / shape.head)
    return jnp.exp(1j * jnp.arange(length)[:, None] * steps)


def _turned(heads: jax.Array, turn: jax.Array) -> jax.Array:
    """Rotary positions on neighbouring pairs, as llama.cpp has them for this architecture."""
    even, odd = heads[..., ::2], heads[..., 1::2]
    cos, sin = jnp.real(turn)[:, None], jnp.imag(turn)[:, None]
    return jnp.stack((even * cos - odd * sin, even * sin + odd * cos), -1).reshape(heads.shape)

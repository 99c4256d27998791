"""Doubles of AWS: `fixtures.py` says which."""

from tests.aws.doubles.fixtures import *  # noqa: F403  pytest finds fixtures by their names here

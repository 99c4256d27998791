"""The driver of our own AI runtime (`ai.runtime`), through the agent beside it."""

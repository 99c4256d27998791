"""Prompts as values: typed variables, templates and what is rendered from them. No Django: the runtime uses it too."""

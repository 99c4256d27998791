"""Forms of AI."""

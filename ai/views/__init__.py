"""Pages of AI."""

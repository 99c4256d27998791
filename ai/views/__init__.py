"""Pages of AI, below `ai/`."""

"""REST resources of AI, below `api/v1/ai/`."""

"""REST resources of AI."""

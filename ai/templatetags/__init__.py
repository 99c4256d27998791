"""Template tags of AI."""

"""Pages of this app, split by noun."""

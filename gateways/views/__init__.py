"""Pages, fragments and the agents' door."""

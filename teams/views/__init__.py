"""Pages of people and teams, split by noun."""

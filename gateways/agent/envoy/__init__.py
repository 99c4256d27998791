"""Envoy as the agent's data plane: followed files, an admin port that proves them."""

"""nginx as the agent's data plane: one configuration, reloaded as a whole, and a status address that proves it."""

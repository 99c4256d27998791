"""The AI runtime beside its agent."""

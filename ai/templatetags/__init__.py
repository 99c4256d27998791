"""Tags of the AI pages."""

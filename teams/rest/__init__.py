"""People, teams, tokens and notices over the REST API."""

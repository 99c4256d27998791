"""Calls at AWS: what a line of an access log says, without a database."""

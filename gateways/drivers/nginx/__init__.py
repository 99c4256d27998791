"""The driver of nginx: renders a document into configuration files, which the agent beside each nginx puts in place."""

"""The driver of Envoy: renders a document into xDS files, which the agent beside each Envoy puts in place."""

"""What the drivers share whose gateways have an agent beside each node: Envoy and nginx."""

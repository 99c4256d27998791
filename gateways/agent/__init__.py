"""The agent: a small process beside each Envoy, the only writer of that gateway's files.

It starts Envoy and keeps it running, puts configurations in place and proves them on the admin port, keeps the
last good one on disk so that the gateway serves without the portal, and ships the usage feed. No Django here.
"""

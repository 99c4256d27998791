"""The agent: a small process beside each Envoy or nginx, the only writer of that gateway's files.

It starts the gateway and keeps it running, puts configurations in place and proves them, keeps the last good one
on disk so that the gateway serves without the portal, and ships the usage feed. No Django here.
"""

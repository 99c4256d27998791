"""The AI runtime: one ASGI process between gateways and AI vendors. No Django, no vendor's SDK.

It reads one snapshot from disk and serves on with it when portal, broker and database are away. `python -m ai.runtime`
runs it; beside a gateway its agent does.
"""

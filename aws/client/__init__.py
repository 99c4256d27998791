"""The one way to AWS: sessions, limits kept before AWS has to keep them, errors by what the caller does next.

No Django in here, and botocore nowhere else. `calls.Calls` is the door: one call, or all pages of a list.
"""

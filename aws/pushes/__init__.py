"""How a function in AWS comes to what is decided about it: read what is there, name the next thing to do.

No Django in here: `wanted` and `reality` are plain values, `moves` compares them. Who writes the journal and calls
stands in `aws/actions/pushing.py`.
"""

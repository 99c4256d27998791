"""Reads OpenAPI documents that strangers wrote, without trusting them.

`document.read_spec` is the one way in: it takes bytes and gives a `ReadSpec`, or raises `SpecRefused` with every
problem, each with its JSON pointer and line. What happens on the way:

    document.read_spec -> sandbox (a process without network, files, or much memory) -> worker
        guard      bytes -> plain dicts and lists, with the place of each value (json_text, yaml_text, places)
        validate   the official schemas, made readable (schema_errors), then what they cannot say (rules)
        reading    canonical JSON, operations, tags, servers

`matcher`, `samples` and `served` work on documents that were read. Nothing in here knows Django.
"""

"""Ready-to-run code for a call: curl, Python and JavaScript. What is shown runs as it is, whatever a document says.

Every foreign value goes through the one quoting function of its language: shlex.quote, _python_literal, _literal.
"""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from apis.spec.examples import ExampleBody, ExampleCall, example_call

__all__ = ["ExampleCall", "code_samples", "example_call"]

KEY_HEADER = "X-API-Key"
KEY_VARIABLE = "KEY"


def code_samples(base_url: str, call: ExampleCall, key: str | None = None) -> dict[str, str]:
    """`{"curl": ..., "python": ..., "javascript": ...}` for `call` at the gateway address `base_url`.

    With `key` the key itself stands in the code (show such a page once, never store it); without, the environment
    variable KEY does.
    """
    url = _url(base_url, call)
    return {
        "curl": _curl(url, call, key),
        "python": _python(url, call, key),
        "javascript": _javascript(url, call, key),
    }


def _url(base_url: str, call: ExampleCall) -> str:
    url = base_url.rstrip("/") + call.path
    return url + ("&" if "?" in url else "?") + urlencode(call.query) if call.query else url


def _curl(url: str, call: ExampleCall, key: str | None) -> str:
    first = (
        "curl --head"
        if call.method == "HEAD"
        else "curl"
        if call.method == "GET"
        else f"curl -X {call.method}"
    )
    globbing = "--globoff " if "[" in url else ""  # an IPv6 address is no pattern
    header = (
        f'-H "{KEY_HEADER}: ${KEY_VARIABLE}"' if key is None else f"-H {shlex.quote(f'{KEY_HEADER}: {key}')}"
    )
    lines = [f"{first} {globbing}{shlex.quote(url)}", header]
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in call.headers]
    if call.body is not None:
        lines += _curl_body(call.body)
    return " \\\n  ".join(lines)


def _curl_body(body: ExampleBody) -> list[str]:
    # --data-raw and --form-string, because --data and -F read the file that a value beginning with @ names
    header = f"-H {shlex.quote(f'Content-Type: {body.content_type}')}"
    match body.kind:
        case "json":
            return [header, f"--data-raw {shlex.quote(_json(body.value, indent=2))}"]
        case "form":
            return [f"--data-raw {shlex.quote(urlencode(body.value))}"]
        case "multipart":
            texts = [n for n in body.value if n not in body.files]
            files = [f"-F {shlex.quote(_file_argument(n))}" for n in body.files]
            return [*(f"--form-string {shlex.quote(f'{n}={body.value[n]}')}" for n in texts), *files]
        case "text":
            return [header, f"--data-raw {shlex.quote(body.value)}"]
    return [header, "--data-binary @body.bin"]


def _file_argument(name: str) -> str:
    return f"{name}=@file.bin"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _python(url: str, call: ExampleCall, key: str | None) -> str:
    headers = {name: _python_literal(value) for name, value in call.headers}
    if call.body is not None and call.body.kind in ("text", "binary"):
        headers["Content-Type"] = _python_literal(call.body.content_type)
    own = f'os.environ["{KEY_VARIABLE}"]' if key is None else _python_literal(key)
    entries = ", ".join(
        f"{_python_literal(n)}: {value}" for n, value in ({KEY_HEADER: own} | headers).items()
    )
    arguments = [_python_literal(call.method), _python_literal(url), f"headers={{{entries}}}"]
    if call.body is not None:
        arguments += _python_body(call.body)
    imports = ("import os\n\n" if key is None else "") + "import httpx\n\n"
    listed = "".join(f"    {argument},\n" for argument in arguments)
    return f"{imports}response = httpx.request(\n{listed})\nprint(response.status_code, response.text)"


def _python_body(body: ExampleBody) -> list[str]:
    match body.kind:
        case "json":
            return [f"json={_python_literal(body.value, '    ')}"]
        case "form":
            return [f"data={_python_literal(body.value, '    ')}"]
        case "multipart":
            files = ", ".join(f'{_python_literal(name)}: open("file.bin", "rb")' for name in body.files)
            texts = {name: value for name, value in body.value.items() if name not in body.files}
            return [f"data={_python_literal(texts, '    ')}", f"files={{{files}}}"]
        case "text":
            return [f"content={_python_literal(body.value)}"]
    return ['content=open("body.bin", "rb").read()']


def _python_literal(value: Any, indent: str = "") -> str:
    """A JSON value as a Python literal, its further lines indented by `indent`.

    The escapes of a JSON string mean the same in Python as long as nothing is written as a surrogate pair, so other
    characters stand as they are.
    """
    inner = indent + "    "
    if isinstance(value, dict) and value:
        members = (f"{inner}{_python_literal(k)}: {_python_literal(v, inner)},\n" for k, v in value.items())
        return "{\n" + "".join(members) + indent + "}"
    if isinstance(value, list) and value:
        return "[\n" + "".join(f"{inner}{_python_literal(v, inner)},\n" for v in value) + indent + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _javascript(url: str, call: ExampleCall, key: str | None) -> str:
    own = f"process.env.{KEY_VARIABLE}" if key is None else _literal(key)
    headers = [f"{_literal(KEY_HEADER)}: {own}"]
    headers += [f"{_literal(name)}: {_literal(value)}" for name, value in call.headers]
    if call.body is not None and call.body.kind in ("json", "text", "binary"):
        headers.append(f'"Content-Type": {_literal(call.body.content_type)}')
    listed = "".join(f"    {header},\n" for header in headers)
    before, body = _javascript_body(call.body) if call.body is not None else ("", "")
    options = f"  method: {_literal(call.method)},\n  headers: {{\n{listed}  }},\n{body}"
    shown = "console.log(response.status, await response.text());"
    return f"{before}const response = await fetch({_literal(url)}, {{\n{options}}});\n{shown}"


def _javascript_body(body: ExampleBody) -> tuple[str, str]:
    """(statements before the call, the `body` option)"""
    match body.kind:
        case "json":
            text = _literal(body.value, indent=2).replace("\n", "\n  ")
            # in an object literal this name would set the prototype and vanish from the body
            value = _literal(_json(body.value)) if "__proto__" in text else f"JSON.stringify({text})"
            return "", f"  body: {value},\n"
        case "form":
            return "", f"  body: new URLSearchParams({_literal(list(body.value.items()))}),\n"
        case "multipart":
            texts = [n for n in body.value if n not in body.files]
            lines = [f"form.append({_literal(n)}, {_literal(body.value[n])});\n" for n in texts]
            lines += [f'form.append({_literal(n)}, new Blob(["..."]), "file.bin");\n' for n in body.files]
            return "const form = new FormData();\n" + "".join(lines), "  body: form,\n"
        case "text":
            return "", f"  body: {_literal(body.value)},\n"
    return 'import { readFile } from "node:fs/promises";\n\n', '  body: await readFile("body.bin"),\n'


def _literal(value: Any, indent: int | None = None) -> str:
    """A JSON value as a JavaScript literal; ASCII, and it cannot close a script element."""
    return json.dumps(value, indent=indent).replace("<", "\\u003c")

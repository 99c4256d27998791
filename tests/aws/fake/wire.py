"""From what botocore's serialisers send to plain parameters, and from plain answers to what its parsers read.

Four protocols, as https://smithy.io/2.0/aws/protocols/ tells them: rest-json (API Gateway, Lambda), query (IAM, STS),
json (logs, service quotas) and CBOR (CloudWatch). Answers are held against the model: a member that AWS does not know,
or of another type, fails the test that asked.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from botocore.parsers import RpcV2CBORParser
from botocore.serialize import CBORSerializer

from tests.aws.fake.refusals import Refused

type Answer = tuple[int, dict[str, str], bytes]


def read_request(model: Any, request: Any) -> dict[str, Any]:
    """The parameters of a prepared request."""
    protocol = model.service_model.resolved_protocol
    body = _body(request)
    if model.input_shape is None:
        return {}
    if protocol == "rest-json":
        return _read_rest(model, request, body)
    if protocol == "query":
        return dict(
            _read_query(model.input_shape, dict(parse_qsl(body.decode(), keep_blank_values=True)), "")
        )
    if protocol == "json":
        return dict(_from_json(model.input_shape, json.loads(body or b"{}")))
    assert protocol == "smithy-rpc-v2-cbor", protocol
    parser = RpcV2CBORParser()
    return dict(parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))) if body else {}


def write_answer(model: Any, answer: Mapping[str, Any], request_id: str) -> Answer:
    """An answer as AWS would send it. AssertionError for one that the model does not allow."""
    shape, protocol = model.output_shape, model.service_model.resolved_protocol
    if shape is None:
        assert not answer, f"{model.name} answers nothing"
    else:
        check_shape(shape, answer, model.name)
    if protocol == "rest-json":
        return _write_rest(model, answer, request_id)
    if protocol == "query":
        return 200, {"x-amzn-requestid": request_id}, _write_query(model, answer, request_id)
    if protocol == "json":
        body = json.dumps(_to_json(shape, answer) if shape else {}).encode()
        return 200, {"x-amzn-requestid": request_id, "content-type": "application/x-amz-json-1.1"}, body
    return 200, {**_CBOR_HEADERS, "x-amzn-requestid": request_id}, _to_cbor(shape, answer)


def write_refusal(model: Any, refused: Refused, request_id: str) -> Answer:
    """An error as AWS would send it."""
    protocol = model.service_model.resolved_protocol
    headers = {"x-amzn-requestid": request_id}
    if protocol == "query":
        return refused.status, headers, _query_error(refused, request_id)
    if protocol == "smithy-rpc-v2-cbor":
        said = bytearray()
        CBORSerializer()._serialize_data_item(
            said, {"__type": refused.code, "message": refused.message}, _FREE
        )
        return refused.status, {**_CBOR_HEADERS, **headers}, bytes(said)
    body = {"message": refused.message, **refused.more}
    if "retryAfterSeconds" in body:
        headers["Retry-After"] = str(body.pop("retryAfterSeconds"))
    if protocol == "json":
        body["__type"] = refused.code
    else:
        headers["x-amzn-errortype"] = refused.code
    return refused.status, {**headers, "content-type": "application/json"}, json.dumps(body).encode()


def check_shape(shape: Any, value: Any, path: str) -> None:
    """AssertionError unless `value` is what the model says."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, Mapping), path
        assert set(value) <= set(shape.members), f"{path}: {set(value) - set(shape.members)}"
        for name, inner in value.items():
            check_shape(shape.members[name], inner, f"{path}.{name}")
    elif kind == "list":
        assert isinstance(value, list | tuple), path
        for inner in value:
            check_shape(shape.member, inner, f"{path}[]")
    elif kind == "map":
        assert isinstance(value, Mapping), path
        for key, inner in value.items():
            check_shape(shape.key, key, f"{path} key")
            check_shape(shape.value, inner, f"{path}.{key}")
    else:
        _check_scalar(shape, value, path)


def _check_scalar(shape: Any, value: Any, path: str) -> None:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "character": (str,),
        "integer": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "boolean": (bool,),
        "timestamp": (datetime,),
        "blob": (bytes,),
    }
    assert isinstance(value, kinds[shape.type_name]), f"{path} is {type(value)}, not a {shape.type_name}"
    assert not (isinstance(value, bool) and shape.type_name != "boolean"), path
    if shape.type_name == "string" and shape.enum:
        assert value in shape.enum, f"{path}: {value} is none of {shape.enum}"


def _body(request: Any) -> bytes:
    body = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    body.seek(0)
    return bytes(body.read())


# rest-json


def _read_rest(model: Any, request: Any, body: bytes) -> dict[str, Any]:
    shape, split = model.input_shape, urlsplit(request.url)
    path = _labels(model.http["requestUri"].split("?")[0], split.path)
    query = parse_qsl(split.query, keep_blank_values=True)
    fixed = {name for name, _ in parse_qsl(urlsplit(model.http["requestUri"]).query, keep_blank_values=True)}
    params: dict[str, Any] = {}
    claimed = fixed | {
        _wire_name(name, member) for name, member in shape.members.items() if _at(member) == "querystring"
    }
    for name, member in shape.members.items():
        wire, where = _wire_name(name, member), _at(member)
        if where == "uri":
            params[name] = _from_text(member, path[wire])
        elif where == "querystring":
            _read_query_member(params, name, member, wire, query, claimed)
        elif where == "header" and wire in request.headers:
            params[name] = _from_text(member, _text(request.headers[wire]))
    payload = shape.serialization.get("payload")
    if payload is not None:
        if body or payload in shape.required_members:
            member = shape.members[payload]
            params[payload] = body if member.type_name == "blob" else _from_json(member, json.loads(body))
    elif body:
        params |= {
            name: value
            for name, value in _from_json(shape, json.loads(body)).items()
            if _at(shape.members[name]) == ""
        }
    return params


def _read_query_member(
    params: dict[str, Any], name: str, member: Any, wire: str, query: list[tuple[str, str]], claimed: set[str]
) -> None:
    if member.type_name == "map":
        found: Any = {key: value for key, value in query if key not in claimed}
    elif member.type_name == "list":
        found = [_from_text(member.member, value) for key, value in query if key == wire]
    else:
        values = [value for key, value in query if key == wire]
        if values:
            params[name] = _from_text(member, values[0])
        return
    if found:
        params[name] = found


def _labels(template: str, path: str) -> dict[str, str]:
    """The parts of a path that a template such as /restapis/{restapi_id}/stages names."""
    label = re.compile(r"\{([\w-]+)(\+)?\}")
    names = [found[1] for found in label.finditer(template)]
    pattern = label.sub(lambda found: "(.+)" if found[2] else "([^/]+)", template)
    found = re.fullmatch(pattern, path)
    assert found, f"{path} is not {template}"
    return {name: unquote(value) for name, value in zip(names, found.groups(), strict=True)}


def _at(member: Any) -> str:
    return str(member.serialization.get("location", ""))


def _wire_name(name: str, member: Any) -> str:
    return str(member.serialization.get("name", name))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _from_text(shape: Any, value: str) -> Any:
    if shape.type_name in {"integer", "long"}:
        return int(value)
    if shape.type_name == "boolean":
        return value == "true"
    return value


def _from_json(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if value is None:
        return None
    if kind == "structure":
        by_wire = {_wire_name(name, member): (name, member) for name, member in shape.members.items()}
        return {
            by_wire[key][0]: _from_json(by_wire[key][1], inner)
            for key, inner in value.items()
            if key in by_wire
        }
    if kind == "list":
        return [_from_json(shape.member, inner) for inner in value]
    if kind == "map":
        return {key: _from_json(shape.value, inner) for key, inner in value.items()}
    if kind == "blob":
        return base64.b64decode(value)
    if kind == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    return value


def _to_json(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return {
            _wire_name(name, shape.members[name]): _to_json(shape.members[name], inner)
            for name, inner in value.items()
            if _at(shape.members[name]) == ""
        }
    if kind == "list":
        return [_to_json(shape.member, inner) for inner in value]
    if kind == "map":
        return {key: _to_json(shape.value, inner) for key, inner in value.items()}
    if kind == "blob":
        return base64.b64encode(value).decode()
    if kind == "timestamp":
        is_text = shape.serialization.get("timestampFormat") == "iso8601"
        return value.strftime("%Y-%m-%dT%H:%M:%SZ") if is_text else value.timestamp()
    return value


def _write_rest(model: Any, answer: Mapping[str, Any], request_id: str) -> Answer:
    shape = model.output_shape
    status = int(model.http.get("responseCode", 200))
    headers = {"x-amzn-requestid": request_id, "content-type": "application/json"}
    if shape is None:
        return status, headers, b""
    for name, member in shape.members.items():
        if name in answer and _at(member) == "header":
            headers[_wire_name(name, member)] = str(answer[name])
        elif name in answer and _at(member) == "statusCode":
            status = answer[name]
    payload = shape.serialization.get("payload")
    if payload is None:
        return status, headers, json.dumps(_to_json(shape, answer)).encode()
    value = answer.get(payload, b"")
    if isinstance(value, bytes):
        return status, headers, value
    return status, headers, json.dumps(_to_json(shape.members[payload], value)).encode()


# query


def _read_query(shape: Any, form: Mapping[str, str], prefix: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        begin = f"{prefix}." if prefix else ""
        found = {
            name: _read_query(member, form, begin + _wire_name(name, member))
            for name, member in shape.members.items()
        }
        return {name: value for name, value in found.items() if value not in (None, {}, [])}
    if kind == "list":
        return _read_query_list(shape, form, f"{prefix}.member")
    if prefix not in form:
        return None
    return _from_text(shape, form[prefix])


def _read_query_list(shape: Any, form: Mapping[str, str], prefix: str) -> list[Any]:
    found: list[Any] = []
    while any(key == (one := f"{prefix}.{len(found) + 1}") or key.startswith(f"{one}.") for key in form):
        found.append(_read_query(shape.member, form, f"{prefix}.{len(found) + 1}"))
    return found


def _write_query(model: Any, answer: Mapping[str, Any], request_id: str) -> bytes:
    root = Element(f"{model.name}Response")
    if model.output_shape is not None:
        _to_xml(
            root,
            model.output_shape.serialization.get("resultWrapper", f"{model.name}Result"),
            model.output_shape,
            answer,
        )
    SubElement(SubElement(root, "ResponseMetadata"), "RequestId").text = request_id
    return tostring(root)


def _to_xml(parent: Element, name: str, shape: Any, value: Any) -> None:
    node = SubElement(parent, name)
    kind = shape.type_name
    if kind == "structure":
        for key, inner in value.items():
            _to_xml(node, _wire_name(key, shape.members[key]), shape.members[key], inner)
    elif kind == "list":
        for inner in value:
            _to_xml(node, "member", shape.member, inner)
    elif kind == "timestamp":
        node.text = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    else:
        node.text = str(value).lower() if isinstance(value, bool) else str(value)


def _query_error(refused: Refused, request_id: str) -> bytes:
    root = Element("ErrorResponse")
    error = SubElement(root, "Error")
    SubElement(error, "Type").text = "Sender"
    SubElement(error, "Code").text = refused.code
    SubElement(error, "Message").text = refused.message
    SubElement(root, "RequestId").text = request_id
    return tostring(root)


# CBOR

_CBOR_HEADERS = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}


class _Free:
    """The shape of an error: names to texts."""

    type_name = "structure"
    members: Mapping[str, Any]

    def __init__(self) -> None:
        text = type("Text", (), {"type_name": "string", "serialization": {}})()
        self.members = {"__type": text, "message": text}
        self.serialization: dict[str, Any] = {}


_FREE = _Free()


def _to_cbor(shape: Any, answer: Mapping[str, Any]) -> bytes:
    said = bytearray()
    serialize: Callable[..., None] = CBORSerializer()._serialize_data_item
    if shape is not None:
        serialize(said, dict(answer), shape)
    return bytes(said)

"""The OpenTelemetry side of portal/tracing.py: imported only where traces are asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from portal.logs import SECRET_TEXT
from portal.tracing import GONE, clean

INSTRUMENTORS = (DjangoInstrumentor, CeleryInstrumentor, PsycopgInstrumentor, HTTPXClientInstrumentor)


class CleanExporter(SpanExporter):
    """Hands spans on without secrets: the last place before they leave the process."""

    def __init__(self, onward: SpanExporter) -> None:
        self._onward = onward

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._onward.export([_cleaned(span) for span in spans])

    def shutdown(self) -> None:
        self._onward.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._onward.force_flush(timeout_millis)


def start(role: str) -> None:
    """Send the spans of this process to the collector that the environment names."""
    name = os.environ.get("OTEL_SERVICE_NAME") or f"gatehouse-{role}"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(CleanExporter(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    for instrumentor in INSTRUMENTORS:
        instrumentor().instrument()


def _cleaned(span: ReadableSpan) -> ReadableSpan:
    events = [
        Event(SECRET_TEXT.sub(GONE, event.name), clean(event.attributes or {}), event.timestamp)
        for event in span.events
    ]
    return ReadableSpan(
        name=SECRET_TEXT.sub(GONE, span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=clean(span.attributes or {}),
        events=events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )

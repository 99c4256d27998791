# One image, its role by command: web, worker, beat, agent, migrate. Every step is a script below scripts/image,
# and CI runs the same scripts outside a container and starts each role from what they make.
FROM python:3.12-slim AS build
WORKDIR /src
COPY scripts/image/requirements scripts/image/packages scripts/image/
COPY requirements/run.txt requirements/tracing.txt requirements/
RUN scripts/image/packages /opt/gatehouse
COPY . .
RUN scripts/image/code /opt/gatehouse && scripts/image/static /opt/gatehouse

FROM python:3.12-slim
COPY scripts/image/user /tmp/user
RUN /tmp/user && rm /tmp/user
COPY --from=build /opt/gatehouse/venv /opt/gatehouse/venv
COPY --from=build /opt/gatehouse/static /opt/gatehouse/static
COPY --from=build /opt/gatehouse/app /opt/gatehouse/app
ENV PATH=/opt/gatehouse/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    GATEHOUSE_STATIC=/opt/gatehouse/static \
    GATEHOUSE_STATE=/var/lib/gatehouse \
    GATEHOUSE_AGENT_STATE=/var/lib/gatehouse/agent
WORKDIR /opt/gatehouse/app
USER 10001:10001
VOLUME /var/lib/gatehouse
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "/opt/gatehouse/app/scripts/role"]
CMD ["web"]
# Without a name it asks the role that the container's first process has become.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "/opt/gatehouse/app/scripts/role", "health"]

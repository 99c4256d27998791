"""The OpenAPI document of a Revision as Amazon API Gateway imports it. Pure functions over plain values.

    traps      what API Gateway cannot import, each with its JSON pointer, before any call
    down       3.1 to 3.0 (schemas), then what its models can hold (models)
    rest       the document of PutRestApi, with `x-amazon-apigateway-*` (integrations, security, answers)
    http_api   the document of ImportApi and ReimportApi
    settings   what the document of the author does not say: integrations, authorizers, CORS, validation

Facts about API Gateway are from its developer guide ("important notes", "OpenAPI extensions") where nothing else is
said."""

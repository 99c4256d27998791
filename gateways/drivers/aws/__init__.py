"""AWS API Gateway behind the engine: REST APIs, usage plans and keys."""

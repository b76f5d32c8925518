"""One method, one file; names resolve through generation.registry."""

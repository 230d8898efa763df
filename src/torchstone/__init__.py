"""torchstone puts machine-learning claims to the test; see docs/design.md for the map."""

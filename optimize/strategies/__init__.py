"""Ways of proposing the next point, each behind the same protocol."""

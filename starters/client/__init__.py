"""How commands reach Temporal: targets, requests, answers."""

"""What steps of PostgreSQL procedures are told and what they answer."""

"""What steps are told and what they answer, by what it is about. Frozen, and free of secrets: it stays in a run's history.

Unknown fields are ignored on purpose (a newer starter must not break an older worker); ``None`` means unknown, never
zero. LSNs are strings as PostgreSQL prints them; times are aware UTC datetimes; durations are ``timedelta``.
"""

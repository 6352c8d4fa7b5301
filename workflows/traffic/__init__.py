"""Moving the traffic to another region."""

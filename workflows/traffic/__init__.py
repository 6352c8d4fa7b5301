"""What moves traffic: the application gateway."""

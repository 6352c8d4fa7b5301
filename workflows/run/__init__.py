"""What every procedure is made of. Knows no subject."""

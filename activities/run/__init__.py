"""What steps of every subject share. Knows no subject."""

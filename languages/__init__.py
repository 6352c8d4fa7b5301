"""What people read, in their own language. English is the source; other languages are catalogues beside this file."""

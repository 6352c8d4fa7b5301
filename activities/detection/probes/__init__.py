"""How a witness looks at each kind of target."""

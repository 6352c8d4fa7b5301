"""How leadership moves: claim, fence or confirm, promote, route, and what follows."""

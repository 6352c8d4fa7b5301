"""What looks at items of checklists, by the system that is asked."""

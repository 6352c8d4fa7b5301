"""Steps of drills: what stood before and after, the proof rows, and the sealed record."""

"""Reports of a run: progress, curves, the page, activation statistics."""

"""How a run is shown: progress, curves, the page, activation statistics."""

"""More than words and shapes: pages beside the text, and repairs."""

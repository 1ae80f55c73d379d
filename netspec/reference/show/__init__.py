"""Words as a reader sees them: a page, a list, JSON."""

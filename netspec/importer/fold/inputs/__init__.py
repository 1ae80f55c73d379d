"""The inputs of levels: as many as equal levels need together, and their names in blocks."""

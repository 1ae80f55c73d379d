"""Training: a recipe and a graph in, a run folder out. Needs torch; the data need nothing but the files."""

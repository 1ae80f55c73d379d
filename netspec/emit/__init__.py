"""Artefacts: one package each, independent of one another. A graph in, a text or a file out."""

"""The sources of the texts of each kind of word."""

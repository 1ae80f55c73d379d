"""Where specs come from beside a path: blocks of other files, and files of a git revision."""

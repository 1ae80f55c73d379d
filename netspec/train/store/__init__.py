"""The files of a run: its folder, checkpoints, history and metadata."""

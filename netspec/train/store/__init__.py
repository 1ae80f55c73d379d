"""What a run keeps on disk: its folder, checkpoints, history and metadata."""

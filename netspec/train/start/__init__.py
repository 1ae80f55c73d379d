"""The start of a training: a run that goes on, with its own spec and settings, or becomes longer."""

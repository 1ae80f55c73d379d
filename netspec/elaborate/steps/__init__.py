"""The elaboration of each kind of step."""

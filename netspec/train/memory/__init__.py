"""The memory of a step of a run: what it takes, and the step that fits a bound."""

"""From what is written to what it means: expressions, scopes and arguments."""

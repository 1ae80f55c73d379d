"""Commands that look things up, and those that editors use."""

"""Commands that train networks and put trained ones to use."""

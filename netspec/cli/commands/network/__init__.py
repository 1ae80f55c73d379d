"""Commands on a network: what is made of it, and what is true of it."""

"""Messages that are looked up only when something is wrong: what an author may have meant, and repairs."""

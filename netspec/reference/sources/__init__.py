"""Where each kind of word has its texts."""

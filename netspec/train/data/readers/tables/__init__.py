"""Tables: their lines and values, the features that their columns become, and the classes of their targets."""

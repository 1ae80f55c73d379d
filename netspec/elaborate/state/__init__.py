"""The state of an elaboration: levels under construction, requirements, limits, and what is kept of earlier ones."""

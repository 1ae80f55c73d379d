"""The parts that steps of every form are built with: names, references, nodes and inner levels."""

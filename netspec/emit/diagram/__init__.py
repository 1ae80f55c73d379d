"""The diagram: DOT text for Graphviz, Mermaid text, and pictures of them."""

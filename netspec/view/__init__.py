"""Views: how a reader sees a graph, whatever draws it."""

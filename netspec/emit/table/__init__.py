"""The shape table, as text, HTML, JSON, CSV and Markdown."""

from netspec.emit.table.table import ShapeTable

__all__ = ["ShapeTable"]

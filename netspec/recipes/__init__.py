"""Recipes: how a network is trained, said without torch. ``netspec.train`` cooks them."""

from netspec.recipes.base import Column, Ingredient, Kind, ingredients

__all__ = ["Column", "Ingredient", "Kind", "ingredients"]

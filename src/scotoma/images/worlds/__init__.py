"""Worlds: procedural image sources with exact facts and a question language."""

"""Measures of Scotoma itself: of its finder, its repair, its checks, its engines and its client."""

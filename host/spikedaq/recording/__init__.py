"""Recordings as objects, from whatever holds them."""

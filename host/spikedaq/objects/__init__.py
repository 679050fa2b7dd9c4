"""Recordings as the objects of other tools: SpikeInterface, Neo, PyNN-style handling."""

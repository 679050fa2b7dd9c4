"""Spikes in the files of other tools: loaders and exporters."""

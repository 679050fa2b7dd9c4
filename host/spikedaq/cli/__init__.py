"""The commands `spikedaq` and `spikedaqd`."""

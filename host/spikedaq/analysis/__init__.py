"""What recordings say: spikes, rates, stimulus loops, F-I curves, the phase plane. Arrays in, arrays out."""

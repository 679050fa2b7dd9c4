"""A recording in another form: the samples copied piece by piece into a folder or a file that other tools read."""

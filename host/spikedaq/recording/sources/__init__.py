"""What stands behind a recording: rolled files, CSV, folders and files of others, arrays in memory."""

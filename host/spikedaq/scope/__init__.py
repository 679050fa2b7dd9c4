"""The web viewer and control panel: a thin client of any number of benches, with a page for any number of people."""

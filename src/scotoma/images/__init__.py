"""Where images come from: rendered worlds, folders, patterns, datasets, tars, the web, and one's own sources."""

"""Where the three-dimensional shapes of secondary particles come from."""

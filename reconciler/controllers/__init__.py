"""One file a controller: each a pure function from what is observed to what should change."""

"""From the files of a commit to desired objects, or to all that is wrong with them."""

"""What a commit would do, and a whole cluster simulated in one thread."""

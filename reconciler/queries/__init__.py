"""What metrics servers are asked, for whom, and the loop that asks."""

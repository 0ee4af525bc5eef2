"""What the scheduler knows: hosts, pods, images and volumes as rows of arrays, kept up to date change by change."""

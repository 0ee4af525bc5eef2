"""Small values of manifests with their spelling and arithmetic: quantities, durations, schedules, images."""

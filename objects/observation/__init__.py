"""What was seen and measured of hosts, as values: written by `hosts/`, read by everybody."""

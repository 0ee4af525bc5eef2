"""Berth's own words: Cluster, Host, Application, annotations of strategies, the record of who is in charge."""

"""Git: what is fetched, read and written of a remote repository. Only here is GitPython known."""

"""How objects look to people: tables as kubectl prints them, descriptions, YAML and JSON. Pure: values in, text out."""

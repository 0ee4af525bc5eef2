"""What the engine publishes after each step: snapshot and journal of all objects, and what else readers go by. Pure."""

"""The room of the voice menu: what a caller hears, which keys mean what, and where the prompts come from."""

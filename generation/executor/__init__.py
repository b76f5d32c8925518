"""The executor: the bot's side of the engine, and the engine process itself."""

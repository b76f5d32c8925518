"""The Discord plugin: slash commands in, pictures out."""

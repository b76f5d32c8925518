"""Images in, images out; knows torch, never Discord or SQL."""

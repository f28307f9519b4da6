"""Who acts in the worlds, what is kept of it, and what students learn from."""

"""Shows tables of figures: in the terminal, as Markdown and as a page."""

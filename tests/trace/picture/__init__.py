"""The waterfalls as a page: template, styles and what they are filled with."""

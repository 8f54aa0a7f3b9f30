"""The twins in containers: their images, their compose files, and the same suite on them."""

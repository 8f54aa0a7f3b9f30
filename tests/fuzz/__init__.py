"""Random requests to both twins: from the description of the API, as properties, as bytes, and with deaths between."""

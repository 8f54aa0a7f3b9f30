"""What both twins share: models, operations, forms, templates and the web application around them."""

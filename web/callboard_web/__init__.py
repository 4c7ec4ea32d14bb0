"""The portal: web application and command line."""

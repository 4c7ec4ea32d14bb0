"""What the files of a repository say: the site's settings, its pages, their order and links."""

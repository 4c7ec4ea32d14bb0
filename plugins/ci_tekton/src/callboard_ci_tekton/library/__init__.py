"""Ready Tasks and Pipelines: to look at, to install into clusters, to download."""

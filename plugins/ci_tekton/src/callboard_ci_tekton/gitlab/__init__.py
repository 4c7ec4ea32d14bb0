"""GitLab CI, read only: pipelines and jobs of projects as runs and tasks."""

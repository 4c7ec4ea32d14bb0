"""The command palette and the results page of search: pages, acts, people, entities, documents."""

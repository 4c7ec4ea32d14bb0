"""What the REST API asks of the catalog: expressions, pages of any order, finished bytes."""

"""The pages of registered locations: to see them, to look before one registers, to remove them."""

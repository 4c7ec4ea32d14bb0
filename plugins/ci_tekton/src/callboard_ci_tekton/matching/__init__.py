"""Which runs belong to which entity, kept in tables and worked again where either side changes."""

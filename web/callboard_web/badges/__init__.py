"""Small pictures for READMEs: who owns an entity, its lifecycle, whether its file is in order."""

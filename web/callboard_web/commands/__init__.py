"""The commands of the `callboard` program, one file for each group."""

"""The boundary to LAMMPS: scripts as text, one child process per simulation, results read back."""

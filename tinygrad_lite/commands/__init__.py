"""The commands of ``python -m tinygrad_lite``, a file for each."""

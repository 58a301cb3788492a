"""Runs the notebook named in the first argument from top to bottom through nbclient and prints it with its outputs."""
import sys

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="llmspell", timeout=60).execute()
nbformat.validate(notebook)
print(nbformat.writes(notebook))

"""How the notebooks are stored: no outputs, no counts, nothing of the machine, so that a diff shows what was changed.

`python tests/notebook_files.py` writes them so again after somebody ran them.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PARAMETERS = "parameters"  # the tag of the cell of constants, as papermill has it


def paths():
    return sorted(FOLDER.glob("*.ipynb"))


def stored(notebook):
    """The text of the file: cells in order, each with its id, its kind, its source and the tag of the constants."""
    content = {"cells": [_cell(cell) for cell in notebook["cells"]], "metadata": METADATA}
    return json.dumps({**content, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


def source(cell):
    """Of a cell in the file, where it is a list of lines, or one text."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def is_constants(cell):
    return PARAMETERS in cell["metadata"].get("tags", ())


def _cell(cell):
    lines = source(cell).rstrip().splitlines(keepends=True)
    metadata = {"tags": [PARAMETERS]} if is_constants(cell) else {}
    if cell["cell_type"] != "code":
        return {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": metadata, "source": lines}
    ran = {"metadata": metadata, "outputs": [], "source": lines}
    return {"cell_type": "code", "execution_count": None, "id": cell["id"], **ran}


if __name__ == "__main__":
    for path in paths():
        path.write_text(stored(json.loads(path.read_text())))

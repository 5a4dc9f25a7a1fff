"""Chorales of the music21 corpus as steps of pitches: the part that imports music21.

It runs in processes of its own (see `pcmsim.datasets.bach`), so that what music21 imports, prints
and writes stays out of the caller's. Answers are lines of JSON on the standard output.
"""

import contextlib
import json
import math
import sys
import xml.etree.ElementTree
import zipfile
from typing import Any

VOICES = 4


def main() -> None:
    """Answer one line per name in the arguments, or the list of names if there are none."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        answers = (parse(name) for name in sys.argv[1:]) if sys.argv[1:] else iter([names()])
        for answer in answers:
            out.write(json.dumps(answer) + "\n")
            out.flush()


def names() -> list[str]:
    """Sorted names of the chorales in the corpus; a work that was numbered twice counts once."""
    from music21.corpus import chorales

    return sorted(set(chorales.Iterator(returnType="filename")))


def parse(name: str) -> dict[str, Any]:
    """Pitches at every quarter note of the chorale `name`, or the reason why it was skipped.

    `{"name", "steps": [[midi, ...], ...]}` or `{"name", "skipped": reason}`. Repeats are not
    played and ornaments without a duration do not sound.
    """
    from music21 import converter, corpus
    from music21.exceptions21 import Music21Exception

    damage = (Music21Exception, OSError, zipfile.BadZipFile, xml.etree.ElementTree.ParseError)
    try:
        work = corpus.getWork(name)
        path = work[0] if isinstance(work, list) else work
        score: Any = converter.parseFile(path, forceSource=True, storePickle=False)
    except damage as error:
        return {"name": name, "skipped": f"{type(error).__name__}: {error}"}
    if len(score.parts) != VOICES:
        return {"name": name, "skipped": f"{len(score.parts)} parts instead of {VOICES}"}
    return {"name": name, "steps": sample(score)}


def sample(score: Any) -> list[list[int]]:
    """MIDI pitches that sound at the instants 0, 1, 2 ... quarter notes of a music21 score."""
    steps: list[set[int]] = [set() for _ in range(math.ceil(score.highestTime))]
    for part in score.parts:
        for event in part.flatten().notes:
            start, stop = event.offset, event.offset + event.quarterLength
            for t in range(math.ceil(start), math.ceil(stop)):
                steps[t].update(pitch.midi for pitch in event.pitches)
    return [sorted(step) for step in steps]

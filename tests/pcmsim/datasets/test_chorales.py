from fractions import Fraction

import pytest

from pcmsim.datasets import chorales

music21 = pytest.importorskip("music21", reason="pip install 'pcmsim[music]'")


@pytest.fixture(autouse=True)
def away_from_the_users_files(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def part(*events):
    """A part of (offset, duration in quarters, MIDI pitches)."""
    made = music21.stream.Part()
    for offset, quarters, pitches in events:
        sound = (
            music21.chord.Chord(list(pitches))
            if len(pitches) > 1
            else music21.note.Note(pitches[0])
        )
        sound.quarterLength = quarters
        made.insert(offset, sound)
    return made


def test_a_note_sounds_at_the_quarters_that_fall_within_it():
    score = music21.stream.Score()
    score.insert(0, part((0.0, 1.5, [60]), (1.5, 0.5, [62]), (2.0, 2.0, [64])))
    score.insert(0, part((0.5, 1.0, [48]), (Fraction(8, 3), Fraction(4, 3), [50])))
    assert chorales.sample(score) == [[60], [48, 60], [64], [50, 64]]


def test_voices_in_unison_sound_once_and_silence_is_empty():
    score = music21.stream.Score()
    score.insert(0, part((0.0, 1.0, [60]), (2.0, 1.0, [55, 67])))
    score.insert(0, part((0.0, 1.0, [60])))
    assert chorales.sample(score) == [[60], [], [55, 67]]


def test_grace_notes_do_not_sound():
    score = music21.stream.Score()
    score.insert(0, part((0.0, 1.0, [60]), (1.0, 0.0, [62]), (1.0, 1.0, [64])))
    assert chorales.sample(score) == [[60], [64]]


def test_a_known_chorale_begins_as_printed():
    """BWV 269: G major, an upbeat on the tonic, then G, E minor first inversion ..."""
    steps = chorales.parse("bach/bwv269")["steps"]
    assert len(steps) == 63
    assert steps[0] == [43, 59, 62, 67]


def test_a_work_that_is_not_there_is_skipped_with_a_reason():
    assert "skipped" in chorales.parse("bach/bwv99999")


def test_a_score_of_another_number_of_parts_is_skipped_with_a_reason():
    assert chorales.parse("bach/bwv248.9-1")["skipped"] == "8 parts instead of 4"

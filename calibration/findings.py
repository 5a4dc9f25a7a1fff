"""What a check of measurements finds: where, what, and whether the data can still be used."""

from dataclasses import dataclass

# Faults are refused; with a warning data are used, but somebody should know.
FAULT, WARNING = "fault", "warning"


@dataclass(frozen=True)
class Finding:
    """One fault or warning.

    dataset         group of the file, such as "drift", or "instrument"
    row             row of the data set from 0, None where it is not about a row
    what            what is wrong, what is allowed, and the way out
    severity        FAULT or WARNING
    kind            one word for findings of the same sort, such as "negative"
    """

    dataset: str
    row: int | None
    what: str
    severity: str = FAULT
    kind: str = "other"

    def text(self) -> str:
        """One line.

        >>> Finding("drift", 3, "read 2 of device 7 is infinite").text()
        'drift: row 3: read 2 of device 7 is infinite'
        """
        place = self.dataset if self.row is None else f"{self.dataset}: row {self.row}"
        return f"{place}: {self.what}"

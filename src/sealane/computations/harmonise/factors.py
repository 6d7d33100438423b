"""Units that hospitals mix up, and the factors between them. Nobody can bring a factor of their own.

If a study could choose factors, repeated questions would close in on the median of a single institution; with this
table there is nothing to turn. Molar masses are those of PubChem; 1 mmol/L is a tenth of that many mg/dL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sealane.governance.contract import Field


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a value in one unit (UCUM) becomes one in another: ``value × factor + offset``.

    Attributes:
        quantity: what is measured.
        own: the unit converted from.
        to: the unit converted to.
        factor: see above.
        offset: see above.
    """

    quantity: str
    own: str
    to: str
    factor: float
    offset: float = 0.0

    @property
    def name(self) -> str:
        """Return how a verdict calls it."""
        return f"{self.own} among {self.to} ({self.quantity})"

    @property
    def back(self) -> Conversion:
        """Return the way back."""
        return Conversion(self.quantity, self.to, self.own, 1.0 / self.factor, -self.offset / self.factor)


SOURCES = {
    "glucose": "molar mass 180.16 g/mol",
    "cholesterol": "molar mass 386.7 g/mol",
    "triglycerides": "mean molar mass 885.7 g/mol, as clinical laboratories take it",
    "creatinine": "molar mass 113.1 g/mol",
    "haemoglobin": "10 dL are 1 L",
    "HbA1c": "IFCC-NGSP master equation: Hoelzel et al., Clin. Chem. 50 (2004) 166",
    "temperature": "NIST SP 811, appendix B.8",
    "mass": "international pound: NIST SP 811, appendix B.8",
    "length": "international inch: NIST SP 811, appendix B.8",
    "mass fraction": "1 % is 10 g/kg",
    "duration": "UCUM: the Julian year is 365.25 d, a month a twelfth of it",
    "area": "1 har is 10 000 m2, and 15 mu of China",
    "crop yield": "1 har is 15 mu of China, 1 t is 1000 kg",
}
_TABLE = (
    Conversion("glucose", "mmol/L", "mg/dL", 18.016),
    Conversion("cholesterol", "mmol/L", "mg/dL", 38.67),
    Conversion("triglycerides", "mmol/L", "mg/dL", 88.57),
    Conversion("creatinine", "mg/dL", "umol/L", 88.42),
    Conversion("haemoglobin", "g/dL", "g/L", 10.0),
    Conversion("HbA1c", "mmol/mol", "%", 0.09148, 2.152),
    Conversion("temperature", "Cel", "[degF]", 1.8, 32.0),
    Conversion("mass", "[lb_av]", "kg", 0.45359237),
    Conversion("length", "[in_i]", "cm", 2.54),
    Conversion("mass fraction", "%", "g/kg", 10.0),
    Conversion("duration", "wk", "d", 7.0),
    Conversion("duration", "mo", "d", 30.4375),
    Conversion("duration", "a", "d", 365.25),
    Conversion("duration", "mo", "wk", 30.4375 / 7.0),
    Conversion("duration", "a", "wk", 365.25 / 7.0),
    Conversion("duration", "a", "mo", 12.0),
)
_FIELDS = (
    Conversion("area", "mu", "har", 1.0 / 15.0),
    Conversion("area", "m2", "har", 1e-4),
    Conversion("crop yield", "kg/mu", "kg/har", 15.0),
    Conversion("crop yield", "t/har", "kg/har", 1000.0),
)
"""Of agriculture; not tried on a column of which nobody says what it measures: 15 might pass for 18 of glucose."""
QUANTITIES = tuple(SOURCES)
_LOINC = {
    "2345-7": "glucose", "14749-6": "glucose", "1558-6": "glucose", "2093-3": "cholesterol", "14647-2": "cholesterol",
    "2085-9": "cholesterol", "13457-7": "cholesterol", "2089-1": "cholesterol", "2571-8": "triglycerides",
    "14927-8": "triglycerides", "2160-0": "creatinine", "14682-9": "creatinine", "718-7": "haemoglobin",
    "4548-4": "HbA1c", "59261-8": "HbA1c", "8310-5": "temperature", "29463-7": "mass", "8302-2": "length",
}
"""Codes by which contracts say what a field is."""


def quantity_of(field: Field) -> str | None:
    """Return what a field measures, if its code in the contract says so."""
    return _LOINC.get(field.code or "") if field.system == "http://loinc.org" else None


@lru_cache(maxsize=256)
def conversions(quantity: str | None, unit: str | None) -> tuple[Conversion, ...]:
    """Return the conversions that may explain a column, each way; the unit in the contract narrows them down.

    Args:
        quantity: what is measured, by the study or the field's code; None where neither says.
        unit: of the field in the contract, None where it has none.
    """
    known = _TABLE if quantity is None and unit is None else _TABLE + _FIELDS
    fitting = [one for one in known if quantity in (None, one.quantity)]
    if quantity is None and unit is not None:
        fitting = [one for one in fitting if unit in (one.own, one.to)]
    return tuple(way for one in fitting for way in (one, one.back))

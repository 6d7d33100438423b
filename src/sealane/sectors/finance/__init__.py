"""Finance: credit applications, and what their data may be used for."""

from __future__ import annotations

from sealane.sectors.pack import SectorPack, StudyExample, load_contracts, load_table

PACK = SectorPack(
    name="finance",
    title="Banking and consumer credit",
    contracts=load_contracts("sealane.sectors.finance"),
    purposes={
        "credit-risk": "Models and statistics of the risk that credit is not repaid",
        "anti-fraud": "Detection of fraud in applications and payments",
        "anti-money-laundering": "Detection of money laundering and the financing of terrorism",
        "model-validation": "Checking a model already in use: discrimination, calibration, drift, fairness",
        "portfolio-statistics": "Aggregate statistics of credit portfolios for supervision or benchmarking",
    },
    grading=load_table("sealane.sectors.finance"),
    example=StudyExample(
        name="joint-scorecard", purpose="credit-risk", data_contract="finance.credit-application/v1",
        computation="glm.fit",
        parameters='outcome = "bad"\nfeatures = ["annual_inc", "int_rate", "term"]\nfamily = "binomial"\n'),
)

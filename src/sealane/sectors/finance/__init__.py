"""Finance: credit, cards, accounts and transfers, and what their data may be used for."""

from __future__ import annotations

from sealane.sectors.pack import (
    SectorPack,
    StudyExample,
    load_contracts,
    load_defaults,
    load_report,
    load_systems,
    load_table,
)

PACK = SectorPack(
    name="finance",
    title="Banking, payments and credit",
    contracts=load_contracts("sealane.sectors.finance"),
    purposes={
        "credit-risk": "Models and statistics of the risk that credit is not repaid",
        "anti-fraud": "Detection of fraud in applications and payments",
        "anti-money-laundering": "Detection of money laundering and the financing of terrorism",
        "supply-chain-finance": "Credit against invoices, orders and stock along a chain of suppliers and buyers",
        "agricultural-finance": "Credit and insurance for farms, cooperatives and the trade in what they grow",
        "model-validation": "Checking a model already in use: discrimination, calibration, drift, fairness",
        "portfolio-statistics": "Aggregate statistics of credit portfolios for supervision or benchmarking",
    },
    grading=load_table("sealane.sectors.finance"),
    code_systems=load_systems("sealane.sectors.finance"),
    deidentification=load_defaults("sealane.sectors.finance"),
    minimum_count=10,
    example=StudyExample(
        name="joint-scorecard", purpose="credit-risk", data_contract="finance.credit-application/v1",
        computation="glm.fit",
        parameters='outcome = "bad"\nfeatures = ["annual_inc", "int_rate", "term"]\nfamily = "binomial"\n'),
    supervision=load_report("sealane.sectors.finance"),
)

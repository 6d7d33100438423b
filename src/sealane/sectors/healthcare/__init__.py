"""Healthcare: encounters, cohorts and survival, and what their data may be used for."""

from __future__ import annotations

from sealane.sectors.pack import SectorPack, StudyExample, load_contracts, load_defaults, load_systems, load_table

PACK = SectorPack(
    name="healthcare",
    title="Hospitals, clinics and public health",
    contracts=load_contracts("sealane.sectors.healthcare"),
    purposes={
        "clinical-research": "Studies of risk, prognosis and treatment under a protocol that an ethics board approved",
        "comparative-effectiveness": "Comparison of treatments that are in use, from routine records",
        "public-health-surveillance": "Counts over time and place that warn of outbreaks and describe a population",
        "pharmacovigilance": "Detection and assessment of adverse reactions to medicines, vaccines and devices",
        "quality-improvement": "Comparison of processes and outcomes between institutions to improve care",
        "health-services-research": "Use, access and cost of care, in aggregate",
        "model-validation": "Checking a prediction model already in use: discrimination, calibration, drift, fairness",
    },
    grading=load_table("sealane.sectors.healthcare"),
    code_systems=load_systems("sealane.sectors.healthcare"),
    deidentification=load_defaults("sealane.sectors.healthcare"),
    minimum_count=10,
    example=StudyExample(
        name="heart-disease-risk", purpose="clinical-research", data_contract="healthcare.heart-disease/v1",
        computation="glm.fit",
        parameters='outcome = "disease"\nfeatures = ["age", "sex", "resting_bp", "maximum_heart_rate", '
                   '"exercise_angina", "st_depression"]\nfamily = "binomial"\n'),
)

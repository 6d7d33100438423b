"""Agriculture: soil, parcels, weather, markets and lots on their way, and what their data may be used for."""

from __future__ import annotations

from sealane.sectors.pack import SectorPack, StudyExample, load_contracts, load_defaults, load_systems, load_table

PACK = SectorPack(
    name="agriculture",
    title="Farms, cooperatives, markets and food chains",
    contracts=load_contracts("sealane.sectors.agriculture"),
    purposes={
        "soil-mapping": "Models and statistics of soil properties over farms, laboratories and regions",
        "yield-modelling": "What moves yield and output: inputs, varieties, weather, practice",
        "plant-health": "Detection and risk of pests and diseases of crops, and warnings of them",
        "animal-health": "Detection and risk of diseases of farm animals, and warnings of them",
        "market-monitoring": "Prices and quantities over markets, and warnings of shortage or excess",
        "food-traceability": "Losses, cold chains and recalls of lots on their way from field to shop",
        "agricultural-insurance": "Risk of loss of harvest by weather, pest or price, in aggregate",
        "agricultural-statistics": "Aggregate statistics of farms, areas and outputs for public bodies",
        "model-validation": "Checking a model already in use: errors, calibration, drift between regions and seasons",
    },
    grading=load_table("sealane.sectors.agriculture"),
    code_systems=load_systems("sealane.sectors.agriculture"),
    deidentification=load_defaults("sealane.sectors.agriculture"),
    minimum_count=10,
    example=StudyExample(
        name="clay-from-the-sky", purpose="soil-mapping", data_contract="agriculture.soil-sample/v1",
        computation="glm.fit",
        parameters='outcome = "clay"\nfeatures = ["altitude", "slope", "ndvi", "b02", "b04", "b08", "b11", "b12"]\n'
                   'family = "gaussian"\ninstitution_effects = "fixed"\n'),
)

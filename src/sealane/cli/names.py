"""Names that a shell can complete: read from the home, or asked of the coordinator; where that fails, none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from sealane.cli.settings import settings_of

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _completing(find: Callable[[click.Context], Iterable[str]]) -> Complete:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            return sorted({name for name in find(context) if name.startswith(incomplete)})
        except Exception:
            return []  # a shell at its prompt is no place for an error

    return complete


def _datasets(context: click.Context) -> Iterable[str]:
    from sealane.node.control import call

    return [entry["name"] for entry in call(settings_of(context).home_of("node"), "dataset.list")]


def _peers(context: click.Context) -> Iterable[str]:
    from sealane.node.control import call

    return [entry["name"] for entry in call(settings_of(context).home_of("node"), "peers")]


def _score_models(context: click.Context) -> Iterable[str]:
    from sealane.node.control import call

    home = settings_of(context).home_of("node")
    own, granted = call(home, "score.model.list"), call(home, "score.list")
    return [*(one["name"] for one in own), *(one["model"] for one in granted)]


def _contracts(context: click.Context) -> Iterable[str]:
    from sealane.sectors.registry import packs

    return [contract for pack in packs().values() for contract in pack.contracts]


def _sectors(context: click.Context) -> Iterable[str]:
    from sealane.sectors.registry import packs

    return list(packs())


def _studies(context: click.Context) -> Iterable[str]:
    from sealane.client.session import Session
    from sealane.governance.study import parse_study
    from sealane.node.control import call
    from sealane.rpc.identity import load_identity

    home = settings_of(context).home_of("analyst", "node")
    if load_identity(home).role == "node":
        return [entry["name"] for entry in call(home, "study.list")]
    with Session(home) as session:
        return [parse_study(record.study).name for record in session.studies()]


def _runs(context: click.Context) -> Iterable[str]:
    from sealane.client.session import Session

    with Session(settings_of(context).home_of("analyst", "node")) as session:
        return [status.run_id for status in session.runs()]


dataset_names = _completing(_datasets)
peer_names = _completing(_peers)
contract_ids = _completing(_contracts)
sector_names = _completing(_sectors)
study_names = _completing(_studies)
run_ids = _completing(_runs)
score_models = _completing(_score_models)

"""A whole federation in one process: the same state machines, encryption and policy, without sockets."""

from sealane.simulation.simulate import Simulation, simulate

__all__ = ["Simulation", "simulate"]

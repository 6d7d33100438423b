"""Check and measure the cuda backend on the GPU that is here; or, without one, compile every kernel for one.

    PYTHONPATH=src python3 benchmarks/gpu_check.py [--out FILE] [--tests]
    PYTHONPATH=src python3 benchmarks/gpu_check.py --compile-only [--degree 8192]
    PYTHONPATH=src python3 benchmarks/gpu_check.py --cpu-hashes

The first needs PyTorch, Triton, NumPy and cryptography, nothing else of Sealane's. It compiles, compares keys,
payloads, totals and opened sums with the hashes below, which the cpu backend gave (``--cpu-hashes`` prints them), with
the cpu backend itself where numba is there, and then measures: medians of wall-clock time around calls that end with
the device idle, of CUDA events around single kernels. ``--tests`` runs the unit tests of the backend on the GPU as
well. What it found goes to standard output as JSON; the exit status is 1 where a byte differed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sealane.core.secret import Secret
from sealane.ring.base import ArrayValues, Backend
from sealane.ring.packing import Packing, pack
from sealane.ring.primes import largest_ring

ROOT = Path(__file__).parent.parent
DEGREE, PRIMES, ADDENDS = 8192, 7, 4
EXPECTED = {
    28: "fee4a361a8c346bb9f82bae9e9e9dfbce116d39d178f4f12cac59a45e534046a",
    30: "602739e0f0f138b27e1154d1dcac4e5e4bcda69be1ec6c53ef7550c07e53454b",
    31: "e27c701f395bc9a5746d8fc3a686fe9773fa6e7995b1bf66299f2214d1f81c31",
}
PUBLIC = bytes(range(32))


def packing_of(bits: int, degree: int = DEGREE) -> Packing:
    """Four nodes' sums of 16 bits."""
    return pack(largest_ring(degree, bits, PRIMES), ADDENDS * 65535 + 1, ADDENDS * 86)


def known_values(length: int, node: int) -> np.ndarray:
    """Return a node's 16-bit values, the same everywhere."""
    places = np.arange(length, dtype=np.uint64) + np.uint64(node << 40)
    return ((places * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(48)).astype(np.uint32)


def seeds(node: int) -> tuple[Secret, Secret]:
    """Return a node's seeds for its key and its errors."""
    return Secret(bytes([1, node]) + bytes(30)), Secret(bytes([2, node]) + bytes(30))


def digest(backend: Backend, bits: int) -> str:
    """Return one hash over keys, payloads, total and opened sums of two nodes, for a full group and one not full."""
    packing = packing_of(bits)
    length, found = packing.group_values + 12345, hashlib.sha256()
    total, key_sum = backend.total(packing, length), np.zeros(DEGREE, dtype=np.int32)
    for node in range(2):
        key_seed, error_seed = seeds(node)
        key = backend.secret_key(packing.ring, key_seed)
        key_sum += key
        values = ArrayValues(known_values(length, node))
        payload = backend.encrypt(packing, values, public_seed=PUBLIC, key=key, error_seed=error_seed)
        found.update(key.tobytes() + payload)
        for group in range(packing.groups(length)):
            begin = bits * packing.offset(group) // 8
            backend.add(packing, length, total, group, payload[begin : begin + packing.block_bytes(length, group)])
    found.update(backend.write(packing, length, total))
    sums = np.concatenate(list(backend.open(packing, length, total, public_seed=PUBLIC, key_sum=key_sum)))
    assert np.array_equal(sums, known_values(length, 0) + known_values(length, 1))
    found.update(sums.tobytes())
    return found.hexdigest()


def cpu_backend() -> Backend | None:
    """Return the cpu backend where it can be had."""
    try:
        from sealane.ring.cpu import CpuBackend

        return CpuBackend()
    except Exception as error:  # numba may be missing, or not fit this NumPy
        print(f"no cpu backend here: {error}", file=sys.stderr)
        return None


def compile_only(degree: int) -> int:
    """Compile every launch of a round for compute capability 9.0; return how many kernels spill registers."""
    import torch
    import triton
    from triton.backends.compiler import GPUTarget

    from sealane.ring import cuda, cuda_track, cuda_values

    class Target:
        """As much of a driver as compiling asks for."""

        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", 90, 32)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, device: int = 0) -> int:
            return 0

    triton.runtime.driver.set_active(Target())
    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    seen: dict[tuple[str, str], dict[str, int]] = {}

    def launch(function: Any, grid: tuple[int, ...], *arguments: Any, warps: int = 4, **constants: Any) -> None:
        made = function.warmup(*arguments, grid=grid, num_warps=warps, **constants)
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(made.asm["cubin"])
            file.flush()
            usage = subprocess.run([folder / "cuobjdump", "-res-usage", file.name], capture_output=True, text=True)
        found = {name: int(number) for name, number in re.findall(r"(REG|STACK|SHARED):(\d+)", usage.stdout)}
        key = function.fn.__name__, json.dumps(constants, sort_keys=True)
        seen[key] = {"warps": warps, **found, "dynamic_shared": made.metadata.shared}

    cuda.launch = cuda_track.launch = cuda_values.launch = launch
    backend = object.__new__(cuda.CudaBackend)
    backend._on, backend.device = "cpu", "none"
    for bits in EXPECTED:
        packing = packing_of(bits, degree)
        length, key = packing.group_values + 99, np.zeros(degree, dtype=np.int32)
        floats = cuda.RoundedValues(torch.zeros(length), np.ones(1, np.float32), 7 << 16, 16, Secret(PUBLIC))
        backend.secret_key(packing.ring, Secret(PUBLIC))
        backend.encrypt(packing, floats, public_seed=PUBLIC, key=key, error_seed=Secret(PUBLIC))
        total = backend.total(packing, length)
        backend.add(packing, length, total, 0, bytes(packing.block_bytes(length, 0)))
        cuda_track.Track(packing, "cpu", 0, own_stream=False).accumulate(
            torch.zeros(4, dtype=torch.int32), torch.zeros(4, dtype=torch.int32), torch.zeros(4, dtype=torch.int32),
            cuda_track.stretch(packing, length, 0, 1), take_back=True)
        backend.write(packing, length, total)
        list(backend.open(packing, length, total, public_seed=PUBLIC, key_sum=key))
    for (name, constants), usage in seen.items():
        print(f"{name:14s} {usage} {constants}")
    spilling = sum(usage.get("STACK", 0) > 0 for usage in seen.values())
    print(f"{len(seen)} kernels compiled by Triton {triton.__version__} for degree {degree}, {spilling} spill")
    return spilling


def wall(call: Callable[[], Any], repeats: int) -> float:
    """Return the median time of a call in seconds, after two to warm up, the device idle before and after."""
    import torch

    times = []
    for turn in range(repeats + 2):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        call()
        torch.cuda.synchronize()
        if turn >= 2:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def on_events(call: Callable[[], Any], repeats: int) -> float:
    """Return the median time that the device takes for a call, in seconds."""
    import torch

    times = []
    for turn in range(repeats + 2):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        if turn >= 2:
            times.append(begin.elapsed_time(end) / 1000)
    return statistics.median(times)


def per_kernel(call: Callable[[], Any]) -> dict[str, float]:
    """Return the seconds that each kernel of a call takes in all, one after the other."""
    import torch

    from sealane.ring import cuda, cuda_track, cuda_values

    plain, found = cuda_track.launch, defaultdict(list)

    def timed(function: Any, *arguments: Any, **options: Any) -> None:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        begin.record()
        plain(function, *arguments, **options)
        end.record()
        torch.cuda.synchronize()
        found[function.fn.__name__].append(begin.elapsed_time(end) / 1000)

    call()
    cuda.launch = cuda_track.launch = cuda_values.launch = timed
    try:
        call()
    finally:
        cuda.launch = cuda_track.launch = cuda_values.launch = plain
    return {name: sum(times) for name, times in found.items()}


def copy_bandwidth() -> float:
    """Return the bytes, read and written, that a large copy on the device moves in a second."""
    import torch

    source = torch.randint(-(2**31), 2**31 - 1, (1 << 29,), dtype=torch.int32, device="cuda")
    target = torch.empty_like(source)
    return 2 * 4 * source.numel() / on_events(lambda: target.copy_(source), 20)


def measure(backend: Any, length: int, copied: float) -> dict[str, Any]:
    """Return what encrypting, adding and opening take at one length, 30-bit primes, four nodes' sums of 16 bits."""
    import torch

    from sealane.ring.cuda import RoundedValues, TensorValues
    from sealane.ring.cuda_track import Track, stretch

    packing, repeats = packing_of(30), 20 if length <= 30_000_000 else 7
    key_seed, error_seed = seeds(0)
    key = backend.secret_key(packing.ring, key_seed)
    given = {"public_seed": PUBLIC, "key": key, "error_seed": error_seed}
    values = torch.randint(0, 65536, (length,), dtype=torch.int32, device="cuda")
    whole = TensorValues(values)
    update = torch.randn(length, device="cuda")
    rounded = RoundedValues(update, np.array([32767 * 2.0**16], np.float32), 32767 << 16, 16, Secret(PUBLIC))
    seconds: dict[str, Any] = {
        "encrypt": wall(lambda: backend.encrypt_tensor(packing, whole, **given), repeats),
        "round_and_encrypt": wall(lambda: backend.encrypt_tensor(packing, rounded, **given), repeats),
        "kernels_of_round_and_encrypt": per_kernel(lambda: backend.encrypt_tensor(packing, rounded, **given)),
    }
    payload, total = backend.encrypt_tensor(packing, whole, **given), backend.device_total(packing, length)
    backend.add_payload(packing, length, total, payload)

    def read() -> list[torch.Tensor]:
        opened = backend.open_tensors(packing, length, total, public_seed=PUBLIC, key_sum=key)
        return [sums for _, sums in opened]

    assert torch.equal(torch.cat(read()), values)
    seconds |= {"open": wall(read, repeats), "kernels_of_open": per_kernel(read)}
    track, part = Track(packing, backend._on, 0, own_stream=False), stretch(packing, length, 0, packing.groups(length))
    flags = torch.zeros(4, dtype=torch.int32, device="cuda")
    seconds["add_kernel"] = on_events(lambda: track.accumulate(total, payload, flags, part), 20)
    seconds["add"] = wall(lambda: backend.add_payload(packing, length, total, payload), repeats)
    if length <= 30_000_000:
        array = ArrayValues(whole.read(0, length))
        seconds["encrypt_host_to_host"] = wall(lambda: backend.encrypt(packing, array, **given), 5)
        seconds["encrypt_device_to_host"] = wall(lambda: backend.encrypt(packing, whole, **given), 5)
    moved = 4 * (payload.numel() + 2 * total.numel())
    return {
        "seconds": seconds,
        "encrypt_values_s": length / seconds["encrypt"],
        "round_and_encrypt_values_s": length / seconds["round_and_encrypt"],
        "open_values_s": length / seconds["open"],
        "add_bytes_s": moved / seconds["add_kernel"],
        "add_share_of_copy": moved / seconds["add_kernel"] / copied,
        "bytes_per_value": 4 * payload.numel() / length,
    }


def run_tests() -> bool:
    """Run the backend's unit tests where they are; pytest's plug-ins need not be those of the project."""
    tests = sorted(str(path) for path in (ROOT / "tests/unit/ring").glob("test_cuda*.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, f"--rootdir={ROOT}", "--import-mode=importlib",
               "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode == 0


def main() -> int:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    parser.add_argument("--tests", action="store_true", help="run the unit tests on the GPU as well")
    parser.add_argument("--compile-only", action="store_true", help="compile for compute capability 9.0; needs no GPU")
    parser.add_argument("--cpu-hashes", action="store_true", help="print what the cpu backend gives")
    parser.add_argument("--degree", type=int, default=DEGREE, help="of the ring that is compiled for")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1_000_000, 25_000_000, 200_000_000])
    arguments = parser.parse_args()
    if arguments.compile_only:
        return min(1, compile_only(arguments.degree))
    if arguments.cpu_hashes:
        cpu = cpu_backend()
        for bits in EXPECTED:
            print(f'    {bits}: "{digest(cpu, bits)}",' if cpu else "")
        return 0
    import torch
    import triton

    from sealane.ring.cuda import CudaBackend

    backend, cpu = CudaBackend(), cpu_backend()
    report: dict[str, Any] = {
        "device": backend.device, "torch": torch.__version__, "triton": triton.__version__,
        "python": platform.python_version(), "numpy": np.__version__, "identical": {}, "identical_to_cpu": {},
    }
    for bits, expected in EXPECTED.items():
        begin = time.perf_counter()
        made = digest(backend, bits)
        report["identical"][bits] = made == expected
        if cpu is not None:
            report["identical_to_cpu"][bits] = made == digest(cpu, bits)
        print(f"{bits} bits: {made == expected} ({time.perf_counter() - begin:.1f} s)", file=sys.stderr)
    if arguments.tests:
        report["tests"] = run_tests()
    report["copy_bytes_s"] = copy_bandwidth()
    report["lengths"] = {length: measure(backend, length, report["copy_bytes_s"]) for length in arguments.lengths}
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    same = all(report["identical"].values()) and all(report["identical_to_cpu"].values())
    return 0 if same and report.get("tests", True) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What this machine's processor is fast at."""

from __future__ import annotations

from pathlib import Path

PRECISIONS = ("float32", "bfloat16")
# The instructions that multiply bfloat16 numbers, as Linux spells them.
BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


def processor_flags() -> set[str]:
    """Return the features of the processor, as Linux lists them; elsewhere none are known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def native_precision() -> str:
    """Return bfloat16 where the processor multiplies it faster than float32, else float32."""
    return "bfloat16" if processor_flags() & BFLOAT16_FLAGS else "float32"

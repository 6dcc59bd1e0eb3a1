"""Accelerators as numbers: what their makers publish, and what we assume of prices.

In: nothing. Out: :data:`DEVICES`. Bandwidths count one direction.
"""

import dataclasses
from typing import Any

_GPU_TARGET = """
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: {cores}
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {bandwidth}
  l2_cache_size: 62914560
  clock_rate_ghz: 1.98
  device_memory_size: {memory}
  shared_memory_per_block_optin: 232448
  cuda_compute_capability {{ major: 9 }}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 patch: 0 }}
runtime_version {{ major: 12 minor: 8 patch: 0 }}
device_description_str: "{name}"
"""


@dataclasses.dataclass(frozen=True)
class Device:
    """One accelerator and how it hears of others.

    Attributes:
      name: as it is sold.
      platform: the name of its compiler: ``cuda`` or ``tpu``.
      flops: bfloat16 operations a second of dense matrix products, without sparsity.
      memory_bytes: that a program may use.
      memory_bandwidth: bytes a second.
      neighbours: devices joined by the fast link: of a node, or of a slice.
      fast_bandwidth: bytes a second that a device sends to its neighbours.
      slow_bandwidth: bytes a second that it sends beyond them.
      hourly_price: US dollars an hour. An assumption: prices differ and change.
      sources: where the numbers are from.
    """

    name: str
    platform: str
    flops: float
    memory_bytes: float
    memory_bandwidth: float
    neighbours: int
    fast_bandwidth: float
    slow_bandwidth: float
    hourly_price: float
    sources: str

    def topology(self, devices: int) -> dict[str, Any]:
        """So many of them, in the words of the compiler.

        Example: 16 GPUs in nodes of 8 -> ``1x2x8``; 32 chips of TPU v5e -> ``v5e:4x8``.
        """
        if self.platform == "tpu":
            # A host has four chips, but for the smallest slice.
            alone = {"chips_per_host_bounds": [1, 1, 1]} if devices == 1 else {}
            return {"topology_name": f"v5e:{SLICES[devices]}", **alone}
        inside = min(devices, self.neighbours)
        target = _GPU_TARGET.format(
            name=self.name,
            cores=132,
            bandwidth=round(self.memory_bandwidth),
            memory=round(self.memory_bytes),
        )
        return {
            "topology_name": "",
            "topology": f"1x{devices // inside}x{inside}",
            "target_config": target,
        }


# Slices as they are sold; a chip each.
SLICES = {
    1: "1x1",
    4: "2x2",
    8: "2x4",
    16: "4x4",
    32: "4x8",
    64: "8x8",
    128: "8x16",
    256: "16x16",
}

H200 = Device(
    name="NVIDIA H200",
    platform="cuda",
    flops=989e12,
    memory_bytes=141e9,
    memory_bandwidth=4.8e12,
    neighbours=8,
    fast_bandwidth=450e9,
    slow_bandwidth=50e9,
    hourly_price=4.0,
    sources="NVIDIA's data sheet of the H200 SXM: 989 TFLOP/s without sparsity, "
    "141 GB, 4.8 TB/s, NVLink 900 GB/s both ways together; nodes of 8 as in DGX H200, "
    "with a 400 Gb/s adapter for each GPU",
)
V5E = Device(
    name="TPU v5e",
    platform="tpu",
    flops=197e12,
    memory_bytes=15.75 * 2**30,
    memory_bandwidth=819e9,
    neighbours=256,
    fast_bandwidth=90e9,
    slow_bandwidth=3.125e9,
    hourly_price=1.2,
    sources="Google's page of the TPU v5e: 197 TFLOP/s, 16 GB (15.75 GiB of it for "
    "programs), 819 GB/s, 1,600 Gb/s between chips in four links, of which a ring "
    "uses two, 45 GB/s each one way (How to Scale Your Model, 2025); one slice of up "
    "to 256 chips",
)
DEVICES = (H200, V5E)

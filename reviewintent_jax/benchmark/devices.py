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
            # Sizes of slices as they are sold; the compiler knows no smaller than 2x2.
            shape = _SLICES[devices]
            return {"topology_name": f"v5e:{shape}"}
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


_SLICES = {
    1: "1x1",
    4: "2x2",
    8: "2x4",
    16: "4x4",
    32: "4x8",
    64: "8x8",
    128: "8x16",
    256: "16x16",
}

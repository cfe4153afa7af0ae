"""Files of tensors: they read back equal, damage and full disks are reported, memory is bounded."""

import errno
import json
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from seg.system.files import written_whole
from seg.system.tensors import read_tensors, write_tensors

# Writes 160 MiB in 40 tensors, half of them channels-last, and prints the growth of the process' peak memory.
PEAK = """
import sys
from pathlib import Path
import torch
from seg.system.machine import peak_memory
from seg.system.tensors import read_tensors, write_tensors

cpu = torch.device("cpu")
formats = (torch.contiguous_format, torch.channels_last)
tensors = {str(i): torch.empty(64, 64, 16, 16, memory_format=formats[i % 2]).normal_() for i in range(40)}
write_tensors(Path(sys.argv[1]), {"warm": torch.zeros(1)}, {})
before = peak_memory(cpu)
write_tensors(Path(sys.argv[1]), tensors, {})
print((peak_memory(cpu) - before) / sum(tensor.nbytes for tensor in tensors.values()))
"""


def test_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    shared = torch.randn(4, 4)
    tensors = {
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "half": torch.randn(3).bfloat16(),
        "count": torch.tensor(2**40),
        "none": torch.zeros(0, 3),
        "truth": torch.tensor([True, False]),
        "part": torch.arange(10, dtype=torch.uint8)[1::3],
        "wide": torch.randn(2, 3, dtype=torch.float64).t(),
        "parameter": torch.nn.Parameter(shared),
        "the same memory": shared,
        "a row of it": shared[1],
    }
    write_tensors(tmp_path / "a", tensors, {"what": "é", "loss": 0.1})
    read, about = read_tensors(tmp_path / "a")
    assert about == {"what": "é", "loss": 0.1}
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(read[name], tensor)
    write_tensors(tmp_path / "b", dict(reversed(tensors.items())), {"loss": 0.1, "what": "é"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_the_checksum_is_the_crc_of_the_tensors_in_name_order(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"b": torch.tensor([1, 2], dtype=torch.uint8), "a": torch.tensor(0.5)}, {"x": 1})
    with safe_open(tmp_path / "a", framework="pt") as file:
        metadata = file.metadata()
    expected = zlib.crc32(struct.pack("<f", 0.5) + bytes([1, 2]))
    assert metadata.keys() == {"seg"}
    assert json.loads(metadata["seg"]) == {"about": {"x": 1}, "crc32": f"{expected:08x}"}


@pytest.mark.parametrize("position", [0, 100, 4095])
def test_one_flipped_bit_in_the_tensors_is_found(tmp_path: Path, position: int) -> None:
    write_tensors(tmp_path / "a", {"a": torch.randn(1024)}, {})
    content = bytearray((tmp_path / "a").read_bytes())
    content[position - 4096] ^= 4
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=r"^damaged \(the checksum of its tensors does not match\)$"):
        read_tensors(tmp_path / "a")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_follows_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_tensors(tmp_path / "a", {"a": torch.zeros(1)}, {})
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_full_disk_is_reported_with_its_directory_and_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / "a"
    write_tensors(path, {"a": torch.zeros(1)}, {})
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left on device") as caught, written_whole(path) as (part,):
        write_tensors(part, {"a": torch.zeros(1 << 20)}, {})
    assert caught.value.args[0].startswith(f"{small_disk}: ")
    assert path.read_bytes() == before
    assert [path.name for path in small_disk.iterdir()] == ["a"]


def test_other_errors_of_the_system_are_os_errors_with_their_number(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
        with pytest.raises(OSError, match="File too large") as caught:
            write_tensors(tmp_path / "a", {"a": torch.zeros(1 << 20)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "a"))


def test_writing_takes_one_copy_of_the_tensors(tmp_path: Path) -> None:
    """Peak memory grows by the contiguous copies and little else."""
    child = subprocess.run([sys.executable, "-c", PEAK, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert 0.9 < float(child.stdout) < 1.2

"""Files, tensors on disk, devices, locks, network transfers and console output. Nothing here can change a result."""

"""The stages: one file each says what it is made from, and how. They import torch and need the extra `train`."""

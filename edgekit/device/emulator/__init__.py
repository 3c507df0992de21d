"""A Raspberry Pi's processor on this machine: the real ONNX Runtime for 64-bit Arm under QEMU, and what it executes"""

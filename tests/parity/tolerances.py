"""Every tolerance of the parity tests, each with its reason."""

from typing import Final

FRONTEND_VS_REFERENCE: Final = 1e-4
"""MFCC, our float32 against float64 by other code: rounding of the FFT and of sums over 40 bands is
about 2e-5; the smallest change of definition (a symmetric window) is 0.05."""

FRONTEND_VS_TWIN: Final = 1e-4
"""MFCC, numpy against torch: the same tables and float32 on both sides, other FFT and BLAS."""

CHUNKING: Final = 2e-5
"""MFCC of one recording in other portions: BLAS takes other kernels for few rows, 6e-6 measured."""

STREAMING_LOGITS: Final = 1e-4
"""Logits of one net over a whole clip and step by step: only the order of sums differs."""

FP32_POSTERIORS: Final = 1e-5
"""Posteriors, torch against onnxruntime with batch norm folded in: 1.5e-6 measured."""

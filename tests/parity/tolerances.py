"""Every tolerance of the parity tests, each with its reason."""

from typing import Final

FRONTEND_VS_REFERENCE: Final = 1e-4
"""MFCC, our float32 against float64 by other code: rounding of the FFT and of sums over 40 bands is
about 2e-5; the smallest change of definition (a symmetric window) is 0.05."""

FRONTEND_VS_TWIN: Final = 1e-4
"""MFCC, numpy against torch: the same tables and float32 on both sides, other FFT and BLAS."""

FIXED_POINT_MFCC: Final = 65 / 65536
"""MFCC in fixed point against numpy and torch: 18 LSB of 1/65536 measured on speech and on tones;
see tests/firmware/test_kws_mfcc.py."""

CHUNKING: Final = 2e-5
"""MFCC of one recording in other portions: BLAS takes other kernels for few rows, 6e-6 measured."""

STREAMING_LOGITS: Final = 1e-4
"""Logits of one net over a whole clip and step by step: only the order of sums differs."""

FP32_POSTERIORS: Final = 1e-5
"""Posteriors, torch against onnxruntime with batch norm folded in: 1.5e-6 measured."""

FRONTEND_AS_MATRICES: Final = 1e-4
"""Normalized MFCC of noise, numpy's FFT in float64 against products of float32 matrices: 4e-6
measured; a number of the spectrum that goes to the wrong band is 0.01 and more."""

FUSED_FP32_POSTERIORS: Final = 1e-4
"""Posteriors of one float model with the front end outside and inside: 2e-6 measured on speech,
6e-5 on tones at full scale beside silence, where MFCC in float32 are 5e-4 off."""

FUSED_INT8_POSTERIORS: Final = 0.05
"""The same in 8 bits: a value between two steps may be rounded to the other side. 0.02 measured on
speech, 0.03 on such tones; a wrong scale or place costs 0.5."""

FUSED_INT8_MEAN: Final = 2e-3
"""Such roundings are rare: 1e-4 on average measured on speech, 1e-3 on tones."""

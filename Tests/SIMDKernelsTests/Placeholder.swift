import Testing

@testable import SIMDKernels

@Suite struct SIMDKernelsSmokeTests {}

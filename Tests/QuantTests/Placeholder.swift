import Testing

@testable import Quant

@Suite struct QuantSmokeTests {}

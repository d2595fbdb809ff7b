import Testing

@testable import Tensors

@Suite struct TensorsSmokeTests {}

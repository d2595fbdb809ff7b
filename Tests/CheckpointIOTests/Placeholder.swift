import Testing

@testable import CheckpointIO

@Suite struct CheckpointIOSmokeTests {}

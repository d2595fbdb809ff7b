import Testing

@testable import QuantizeTool

@Suite struct ToolSmokeTests {}

import CheckpointIO
import TestSupport
import Testing

@testable import Quant

/// The texts that describe quantized weights, cut off and with fields that no writer writes.
@Suite struct QuantizationStateTests {
    private static let nested =
        #"{"quant_type":"nf4","blocksize":64,"dtype":"bfloat16","shape":[64,3],"#
        + #""nested_blocksize":256,"nested_dtype":"float32","nested_offset":0.5}"#

    private static func state(_ text: String, isNested: Bool = true) throws -> QuantizationState {
        try QuantizationState(parsing: Array(text.utf8), format: .nf4, isNested: isNested)
    }

    @Test func refusesEveryBeginning() throws {
        try expectErrors([.quantState], atEveryLengthOf: Array(Self.nested.utf8)) {
            _ = try QuantizationState(parsing: $0, format: .nf4, isNested: true)
        }
    }

    @Test func refusesFieldsThatContradict() throws {
        let changes: [(String, String, CheckpointError.Code)] = [
            ("nf4", "fp4", .quantState), (":64,", ":63,", .quantState),
            (":64,", ":0,", .quantState),
            ("bfloat16", "int8", .quantState), ("[64,3]", "[64,-3]", .quantShape),
            ("[64,3]", "[]", .quantShape), ("[64,3]", "[4294967296,4294967296]", .quantShape),
            ("256", "128", .quantState), ("0.5", "1e300", .quantState),
            ("0.5}", "0.5,\"more\":1}", .quantState),
        ]
        for (old, new, code) in changes {
            let places = Self.nested.ranges(of: old)
            #expect(places.count == 1, "\(old)")
            let text = Self.nested.replacing(old, with: new)
            try expectError(code) { try Self.state(text) }
        }
        try expectError(.quantState) { try Self.state(Self.nested, isNested: false) }
    }

    @Test func refusesEveryBeginningOfAnInt8State() throws {
        let text = #"{"version":1,"blocksize":64,"dtype":"float32","shape":[3,5]}"#
        try expectErrors([.quantState], atEveryLengthOf: Array(text.utf8)) {
            _ = try BlockwiseInt8State(parsing: $0)
        }
        for (old, new) in [(":1,", ":2,"), (":64", ":65"), ("32", "8"), ("{", "{\"a\":0,")] {
            try expectError(.quantState) {
                try BlockwiseInt8State(parsing: Array(text.replacing(old, with: new).utf8))
            }
        }
    }
}

import Foundation
import TestSupport
import Testing

@testable import Containers

@Suite("Packed types of GGUF")
struct GGUFCodecTests {
    @Test("every packed type decodes to the bits of the reference")
    func decodesToTheBitsOfTheReference() throws {
        let cases = try #require(Golden.object("gguf_blocks.json")["cases"] as? [[String: Any]])
        var covered: Set<UInt32> = []
        for golden in cases {
            let id = try #require(golden["type"] as? Int)
            let type = try #require(GGUFTensorType(rawValue: UInt32(id)))
            let blocks = try base64(golden["blocks"])
            let expected = try base64(golden["values"])
            #expect(type.name == golden["name"] as? String)
            #expect(blocks.count == type.blockByteCount * (golden["block_count"] as? Int ?? 0))
            #expect(decode(blocks, as: type) == expected, "\(type.name)")
            covered.insert(type.rawValue)
        }
        let packed = GGUFTensorType.allCases.filter(\.isPacked).map(\.rawValue)
        #expect(covered == Set(packed))
    }

    @Test("half-precision numbers widen exactly, all 65536 of them")
    func widensHalves() {
        for bits in UInt16.min...UInt16.max {
            let exact = widened(bits)
            let float = Float(halfBits: bits)
            if exact.isNaN {
                #expect(float.isNaN)
            } else {
                #expect(float.bitPattern == exact.bitPattern, "\(bits)")
            }
        }
    }

    /// The value by definition: `(-1)^s · 1.m · 2^(e - 15)`, or `0.m · 2^-14` for exponent 0.
    private func widened(_ bits: UInt16) -> Float {
        let (exponent, mantissa) = (Int(bits >> 10 & 0x1F), Int(bits & 0x3FF))
        let magnitude: Float =
            switch exponent {
            case 0: Float(sign: .plus, exponent: -24, significand: Float(mantissa))
            case 31: mantissa == 0 ? .infinity : .nan
            default:
                Float(sign: .plus, exponent: exponent - 25, significand: Float(1024 + mantissa))
            }
        return bits & 0x8000 == 0 ? magnitude : -magnitude
    }

    private func base64(_ value: Any?) throws -> [UInt8] {
        let text = try #require(value as? String)
        return try [UInt8](#require(Data(base64Encoded: text)))
    }

    private func decode(_ blocks: [UInt8], as type: GGUFTensorType) -> [UInt8] {
        let count = blocks.count / type.blockByteCount * type.blockLength
        var output = [UInt8](repeating: 0xAA, count: count * 4)
        output.withUnsafeMutableBytes { target in
            blocks.withUnsafeBytes { source in
                var span = MutableRawSpan(_unsafeBytes: target)
                type.decode(RawSpan(_unsafeBytes: source), into: &span)
            }
        }
        return output
    }
}

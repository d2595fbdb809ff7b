import TestSupport
import Testing

@testable import SIMDKernels

/// The sizes of a product with a packed 4-bit weight.
struct ProductCase: CustomTestStringConvertible {
    let rows: Int
    let outputs: Int
    let inputs: Int
    let blockSize: Int

    var testDescription: String { "\(rows) x \(outputs) x \(inputs), blocks of \(blockSize)" }

    /// One row to several tiles; outputs around the 16 of a panel; blocks that are rows' parts, that
    /// rows are a part of, and that cross the ends of rows; few rows with any number of blocks.
    static let cases: [Self] = [
        Self(rows: 1, outputs: 1, inputs: 8, blockSize: 32),
        Self(rows: 1, outputs: 15, inputs: 64, blockSize: 64),
        Self(rows: 1, outputs: 18, inputs: 320, blockSize: 64),
        Self(rows: 1, outputs: 33, inputs: 416, blockSize: 32),
        Self(rows: 1, outputs: 16, inputs: 448, blockSize: 64),
        Self(rows: 2, outputs: 16, inputs: 128, blockSize: 64),
        Self(rows: 4, outputs: 19, inputs: 320, blockSize: 64),
        Self(rows: 3, outputs: 17, inputs: 96, blockSize: 64),
        Self(rows: 5, outputs: 31, inputs: 192, blockSize: 128),
        Self(rows: 7, outputs: 33, inputs: 40, blockSize: 32),
        Self(rows: 13, outputs: 48, inputs: 64, blockSize: 4096),
        Self(rows: 14, outputs: 20, inputs: 64, blockSize: 32),
        Self(rows: 15, outputs: 65, inputs: 72, blockSize: 64),
        Self(rows: 29, outputs: 40, inputs: 128, blockSize: 64),
    ]
}

/// Random operands of a product.
struct ProductOperands {
    let x: [Float]
    let codes: [UInt8]
    let scales: [Float]
    let panels: PackedPanels
    let packedCodes: [UInt8]
    let packedScales: [Float]

    init(_ sizes: ProductCase) throws {
        var generator = SeededGenerator(seed: UInt64(sizes.rows * 31 + sizes.outputs))
        let count = sizes.outputs * sizes.inputs
        let x = (0..<sizes.rows * sizes.inputs).map { _ in
            Float.random(in: -2...2, using: &generator)
        }
        let codes = (0..<count).map { _ in UInt8.random(in: 0..<16, using: &generator) }
        let scales = (0..<(count + sizes.blockSize - 1) / sizes.blockSize).map { _ in
            Float.random(in: -0.5...1.5, using: &generator)
        }
        let panels = try #require(
            PackedPanels(
                rowCount: sizes.outputs,
                columnCount: sizes.inputs,
                blockSize: sizes.blockSize
            )
        )
        let bytes = stride(from: 0, to: count, by: 2).map { codes[$0] << 4 | codes[$0 + 1] }
        var packedCodes = [UInt8](repeating: 0xFF, count: panels.codeByteCount)
        var packedScales = [Float](repeating: .nan, count: panels.scaleCount)
        bytes.withUnsafeBytes { bytes in
            scales.withFloatSpan { scales in
                packedCodes.withUnsafeMutableBytes { codes in
                    packedScales.withMutableFloatSpan { packedScales in
                        var codeSpan = codes.mutableBytes
                        panels.pack(
                            codes: bytes.bytes,
                            scales: scales,
                            blockSize: sizes.blockSize,
                            into: &codeSpan,
                            &packedScales
                        )
                    }
                }
            }
        }
        // Back again, to the byte.
        var canonical = [UInt8](repeating: 0xFF, count: bytes.count)
        packedCodes.withUnsafeBytes { packed in
            canonical.withUnsafeMutableBytes { canonical in
                var span = canonical.mutableBytes
                panels.unpack(packed.bytes, into: &span)
            }
        }
        #expect(canonical == bytes)
        (self.x, self.codes, self.scales, self.panels) = (x, codes, scales, panels)
        (self.packedCodes, self.packedScales) = (packedCodes, packedScales)
    }
}

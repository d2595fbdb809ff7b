import CSIMDKernels
import Machine
import TestSupport
import Testing

@testable import SIMDKernels

/// Rows of activations as products read them: every variant gives the same bytes.
@Suite struct PackRowsKernelTests {
    struct Sizes: Sendable {
        let rows, columns, group: Int
    }

    private static let sizes = [
        Sizes(rows: 1, columns: 8, group: 8), Sizes(rows: 1, columns: 576, group: 64),
        Sizes(rows: 2, columns: 96, group: 32), Sizes(rows: 3, columns: 192, group: 64),
        Sizes(rows: 7, columns: 64, group: 64), Sizes(rows: 8, columns: 128, group: 64),
        Sizes(rows: 3, columns: 104, group: 104), Sizes(rows: 14, columns: 128, group: 64),
        Sizes(rows: 29, columns: 200, group: 40), Sizes(rows: 48, columns: 192, group: 192),
    ]

    @Test(arguments: PackRowsKernel.supported, sizes)
    func everyVariantGivesTheSameBytes(kernel: PackRowsKernel, sizes: Sizes) throws {
        let generic = try #require(PackRowsKernel.named("generic"))
        var generator = SeededGenerator(seed: UInt64(sizes.columns))
        var x = generator.floats(sizes.rows * sizes.columns).map { 100 * $0 }
        // A run that is zeros, one with a number that is none, and numbers at the ends of the range.
        for column in 0..<min(64, sizes.columns) { x[column] = 0 }
        let last = x.count - 1
        x[last] = Float(bitPattern: 0x7F80_0001)
        x[last - 1] = .infinity
        for (place, value) in [
            Float.greatestFiniteMagnitude, .leastNonzeroMagnitude, -.leastNormalMagnitude, -0.0,
            Float(bitPattern: 0x3F80_8000), Float(bitPattern: 0x3F81_8000),
        ].enumerated() {
            x[(x.count / 2 + place) % last] = value
        }
        for packing in 0...3 {
            let layout = PackedRows(
                rowCount: sizes.rows,
                columnCount: sizes.columns,
                group: sizes.group,
                packing: qk_row_packing(packing),
                limit: 14
            )
            func bytes(_ kernel: PackRowsKernel) throws -> [UInt8] {
                let packed = GuardedBuffer([UInt8](repeating: 0xAA, count: layout.byteCount))
                x.withFloatSpan { x in
                    var span = packed.bytes.mutableBytes
                    layout.pack(x, into: &span, with: kernel, on: .single)
                }
                return Array(packed.bytes)
            }
            #expect(try bytes(kernel) == bytes(generic), "packing \(packing)")
        }
    }
}

import CheckpointIO
import Machine
import TestSupport
import Tensors
import Testing

@testable import Quant

@Suite struct WorkspaceTests {
    @Test func callsThatNestHaveABufferEach() throws {
        let budget = MemoryBudget(limitByteCount: 1 << 20)
        var workspace = Workspace(budget: budget)
        try workspace.withBuffer(100) { (outer, workspace) throws(CheckpointError) in
            outer.withMutablePrefix(100) { $0.storeBytes(of: 7, toByteOffset: 99, as: UInt8.self) }
            try workspace.withBuffer(200) { (inner, _) throws(CheckpointError) in
                inner.withMutablePrefix(200) {
                    $0.storeBytes(of: 8, toByteOffset: 99, as: UInt8.self)
                }
            }
            #expect(outer.withPrefix(100) { $0.byte(at: 99) } == 7)
        }
    }

    @Test func sourcesAllocateWithTheFirstTileOnly() throws {
        let (rows, columns) = (48, 70)
        var random = SeededGenerator(seed: 3)
        let values = (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &random) }
        let matrix = Matrix(rowCount: columns, columnCount: rows, elements: values)
        // Three sources, each of which reads another.
        let source = RoundedFloats(
            TransposedFloats(
                RoundedFloats(MatrixFloats(matrix), to: .bfloat16),
                rowCount: rows,
                columnCount: columns
            ),
            to: .float32
        )
        let budget = MemoryBudget(limitByteCount: 1 << 20)
        var workspace = Workspace(budget: budget)
        var used: [Int] = []
        var read = [Float](repeating: 0, count: values.count)
        for tile in 0..<6 {
            let range = tile * 8 * columns..<(tile + 1) * 8 * columns
            try read.withMutableFloatBytes { (bytes) throws(CheckpointError) in
                var part = bytes._mutatingExtracting(4 * range.lowerBound..<4 * range.upperBound)
                try source.read(range, into: &part, &workspace)
            }
            used.append(budget.inUseByteCount)
        }
        #expect(used[0] > 0)
        #expect(Set(used).count == 1, "\(used)")
        let expected = (0..<rows).flatMap { row in
            (0..<columns).map { Float(BFloat16(values[$0 * rows + row])) }
        }
        #expect(read == expected)
    }

    @Test func countsAgainstTheBudget() throws {
        let budget = MemoryBudget(limitByteCount: 1000)
        var workspace = Workspace(budget: budget)
        try expectError(.limitMemory) { try workspace.withBuffer(2000) { _, _ in } }
        // What failed to grow can be asked for less.
        try workspace.withBuffer(500) { (buffer, _) in #expect(buffer.byteCount >= 500) }
    }
}

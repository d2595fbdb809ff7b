internal import Machine
internal import Tensors

extension Matrix {
    /// Numbers between -1 and 1.
    static func random(_ rows: Int, _ columns: Int, _ generator: inout SplitMix64) -> Matrix {
        Matrix(
            rowCount: rows,
            columnCount: columns,
            elements: (0..<rows * columns).map { _ in
                Float(generator.next() >> 40) * 0x1p-23 - 1
            }
        )
    }
}

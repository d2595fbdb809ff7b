/// A product cut into pieces, of which several threads compute some each: stretches of columns of the output,
/// each with all rows or a part of them.
///
/// What counts as a column and as a row is up to the product: single ones, or panels and tiles.
struct ProductCuts: Sendable {
    private let columnCount: Int
    private let columnsOfStretch: Int
    private let rowCount: Int
    private let rowPartCount: Int
    private var stretchCount: Int { (columnCount + columnsOfStretch - 1) / columnsOfStretch }

    /// Cuts columns into stretches, the last of which may be shorter, and rows into equal parts.
    init(columnCount: Int, columnsOfStretch: Int, rowCount: Int, rowPartCount: Int = 1) {
        self.columnCount = columnCount
        self.columnsOfStretch = columnsOfStretch
        self.rowCount = rowCount
        self.rowPartCount = rowPartCount
    }

    /// How many pieces there are.
    var count: Int { stretchCount * rowPartCount }

    /// What a piece computes.
    subscript(piece: Int) -> Piece {
        let (part, stretch) = piece.quotientAndRemainder(dividingBy: stretchCount)
        let first = stretch * columnsOfStretch
        return Piece(
            columns: first..<min(first + columnsOfStretch, columnCount),
            rows: part * rowCount / rowPartCount..<(part + 1) * rowCount / rowPartCount
        )
    }

    /// Neighbouring columns of neighbouring rows.
    struct Piece: Sendable {
        let columns: Range<Int>
        let rows: Range<Int>
    }
}

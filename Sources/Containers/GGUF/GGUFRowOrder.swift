/// The order in which a GGUF file has the rows of a matrix, against Hugging Face's.
package enum GGUFRowOrder: Hashable, Sendable {
    /// The same.
    case same
    /// The two halves of each head interleaved, as files of the llama architecture have the query
    /// and key projections: within a head of `d` rows, row `2j + t` of the file is row `t·d/2 + j`.
    case interleavedHalves(rowsPerHead: Int)

    /// Returns the row of the file that is row `row` for Hugging Face.
    func fileRow(of row: Int) -> Int {
        switch self {
        case .same:
            return row
        case .interleavedHalves(let rowsPerHead):
            let (head, place) = row.quotientAndRemainder(dividingBy: rowsPerHead)
            let half = rowsPerHead / 2
            return head * rowsPerHead + place % half * 2 + place / half
        }
    }
}

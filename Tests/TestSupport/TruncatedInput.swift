public import CheckpointIO
public import Testing

/// Expects a reader to refuse every proper beginning of what it reads, and to read the whole.
///
/// - Parameters:
///   - codes: the errors that a beginning may give.
///   - bytes: something that the reader accepts.
///   - alsoWhole: whether a beginning of this length is complete, too.
///   - sourceLocation: where issues are reported.
///   - read: the reader.
/// - Throws: what the reader throws for the whole.
public func expectErrors(
    _ codes: Set<CheckpointError.Code>,
    atEveryLengthOf bytes: [UInt8],
    unless alsoWhole: (Int) -> Bool = { _ in false },
    sourceLocation: SourceLocation = #_sourceLocation,
    _ read: ([UInt8]) throws -> Void
) throws {
    try read(bytes)
    for length in 0..<bytes.count {
        let beginning = Array(bytes[..<length])
        guard !alsoWhole(length) else {
            try read(beginning)
            continue
        }
        let error = #expect(
            throws: CheckpointError.self,
            "\(length) of \(bytes.count) bytes",
            sourceLocation: sourceLocation
        ) { try read(beginning) }
        guard let error else { continue }
        #expect(
            codes.contains(error.code),
            "\(length) of \(bytes.count) bytes: \(error)",
            sourceLocation: sourceLocation
        )
        if let offset = error.offset {
            #expect(offset <= length, "\(error)", sourceLocation: sourceLocation)
        }
    }
}

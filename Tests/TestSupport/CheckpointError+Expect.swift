public import CheckpointIO
public import Testing

/// Expects a call to throw a `CheckpointError` with a code, and returns the error.
@discardableResult
public func expectError<Result>(
    _ code: CheckpointError.Code,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Result
) throws -> CheckpointError {
    let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) {
        _ = try body()
    }
    let found = try #require(error, sourceLocation: sourceLocation)
    #expect(found.code == code, "\(found)", sourceLocation: sourceLocation)
    return found
}

extension Array<UInt8> {
    /// Calls `body` with the bytes of the array. (`span` would need newer systems than this
    /// package does.)
    package func withRawSpan<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var failure: Failure?
        let result: Result? = unsafe withUnsafeBytes { buffer in
            do throws(Failure) {
                return try body(unsafe RawSpan(_unsafeBytes: buffer))
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        guard let result else { preconditionFailure("neither a result nor an error") }
        return result
    }

    /// Calls `body` with the bytes of the array, to change them.
    package mutating func withMutableRawSpan<Result, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var failure: Failure?
        let result: Result? = unsafe withUnsafeMutableBytes { buffer in
            do throws(Failure) {
                var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
                return try body(&span)
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        guard let result else { preconditionFailure("neither a result nor an error") }
        return result
    }
}

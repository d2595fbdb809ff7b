/// A routine of LAPACK that did not come to an end.
public struct LinearAlgebraError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The routine, such as `dgesdd`.
    public let routine: String
    /// Its `info`: below 0 the number of a bad argument, above 0 what did not converge.
    public let info: Int

    /// The routine and its code.
    public var description: String { "LAPACK's \(routine) failed with info \(info)" }

    /// Throws unless a routine succeeded.
    static func check(_ info: Int32, _ routine: String) throws(LinearAlgebraError) {
        guard info == 0 else { throw LinearAlgebraError(routine: routine, info: Int(info)) }
    }
}

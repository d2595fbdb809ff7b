package import CheckpointIO

/// What a run changes of a model's tensors before it writes them, such as by merging adapters.
package protocol WeightChanges: Sendable {
    /// The tensors that are changed.
    var names: Set<Name> { get }

    /// Returns the changed elements of a tensor, in float32.
    /// - Parameters:
    ///   - name: one of `names`.
    ///   - base: its elements in float32; a linear weight's as `[N, K]`, whatever its order in files.
    ///   - shape: their shape.
    /// - Returns: as many elements in the same order.
    /// - Throws: what is wrong with the changes.
    func source(
        of name: Name,
        over base: any FloatSource,
        shape: [Int]
    ) throws(CheckpointError) -> any FloatSource

    /// What decides the changes, for the journal: options, and digests of inputs.
    var fingerprintFields: [Fingerprint.Field] { get }
}

internal import CheckpointIO

/// What adapters may be called.
enum AdapterNames {
    /// Throws unless a name is possible and new.
    /// - Throws: `adapter.name`.
    static func checkNew(_ name: String, among known: [String]) throws(CheckpointError) {
        let isPossible =
            !name.isEmpty && ![".", "..", AdaptedLayers.baseName].contains(name)
            && !name.contains { $0 == "." || $0 == "/" }
        guard isPossible else {
            throw CheckpointError(
                .adapterName,
                "no name for an adapter: \"\(Name.printable(name))\""
            )
        }
        guard !known.contains(name) else {
            throw CheckpointError(.adapterName, "there is an adapter of that name: \(name)")
        }
    }

    /// Throws unless all names are known, and none stands twice.
    /// - Throws: `adapter.name`.
    static func requireKnown(_ names: [String], among known: [String]) throws(CheckpointError) {
        for name in names where !known.contains(name) { throw unknown(name, among: known) }
        guard Set(names).count == names.count else {
            throw CheckpointError(.adapterName, "an adapter stands twice: \(names)")
        }
    }

    /// The error for a name that is not known.
    static func unknown(_ name: String, among known: [String]) -> CheckpointError {
        CheckpointError(
            .adapterName,
            "there is no adapter of that name: \"\(Name.printable(name))\"",
            expected: known.isEmpty ? "none: none was added" : known.joined(separator: ", "),
            found: name
        )
    }
}

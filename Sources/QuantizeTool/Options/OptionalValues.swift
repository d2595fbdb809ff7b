/// Options whose value may be left out, which ArgumentParser has not.
enum OptionalValues {
    /// Returns the arguments with `--zstd` alone spelled out as `--zstd=3`.
    ///
    /// A value is part of the option's own word (`--zstd=5`), so that `--zstd SRC` is not mistaken.
    static func joined(_ arguments: [String]) -> [String] {
        var isLiteral = false
        return arguments.map { argument in
            if argument == "--" { isLiteral = true }
            return argument == "--zstd" && !isLiteral ? "--zstd=\(defaultLevel)" : argument
        }
    }

    /// The level of `--zstd` without a value: higher ones buy almost nothing on codes, which are
    /// nearly random.
    static let defaultLevel = 3
}

internal import CheckpointIO
internal import Text

/// Values of single modules by a pattern of their names (`rank_pattern`, `alpha_pattern`).
///
/// The first key that fits counts, so their order matters. A key fits if it matches the end of the name,
/// from its start or from behind a dot: `(.*\.)?(KEY)$`.
public struct PatternTable<Value: Sendable & Hashable>: Sendable, Hashable {
    /// A key and its value.
    public struct Entry: Sendable, Hashable {
        /// A regular expression, as Python reads it.
        public let key: String
        /// The value of the modules that it fits.
        public let value: Value
    }

    /// The entries in the order in which they are tried.
    public var entries: [Entry] = []

    /// An empty table.
    public init() {}

    /// A table in the order of a literal.
    public init(_ entries: [(String, Value)]) {
        self.entries = entries.map { Entry(key: $0.0, value: $0.1) }
    }
}

/// A pattern table whose keys are compiled.
struct CompiledPatternTable<Value: Sendable & Hashable>: Sendable {
    private let entries: [(pattern: PythonPattern, key: String, value: Value)]

    /// Compiles the keys.
    /// - Throws: `adapter.pattern`.
    init(_ table: PatternTable<Value>, key: String) throws(CheckpointError) {
        var entries: [(pattern: PythonPattern, key: String, value: Value)] = []
        for entry in table.entries {
            // Flags would not stand at the start of the whole pattern.
            if entry.key.hasPrefix("(?i)") {
                throw CheckpointError(
                    .adapterPattern,
                    "flags stand at the start of a whole pattern only",
                    key: key,
                    found: entry.key
                )
            }
            let pattern = try CheckpointError.pattern("(.*\\.)?(\(entry.key))$", key: key)
            entries.append((pattern, entry.key, entry.value))
        }
        self.entries = entries
    }

    /// The first entry that fits a module.
    func entry(of module: String) throws(CheckpointError) -> (index: Int, value: Value)? {
        for (index, entry) in entries.enumerated() {
            if try entry.pattern.fitsPrefix(of: module) { return (index, entry.value) }
        }
        return nil
    }

    /// The keys whose indices are not among these.
    func keys(besides used: Set<Int>) -> [String] {
        entries.indices.filter { !used.contains($0) }.map { entries[$0].key }
    }
}

extension CheckpointError {
    /// Compiles a pattern of a configuration.
    /// - Throws: `adapter.pattern`.
    static func pattern(_ text: String, key: String) throws(CheckpointError) -> PythonPattern {
        do throws(PythonPattern.Failure) {
            return try PythonPattern(text)
        } catch {
            throw CheckpointError(
                .adapterPattern,
                "not a pattern that can be matched: \(error.message)",
                key: key,
                found: text
            )
        }
    }

    fileprivate static func slow(_ failure: PythonPattern.Failure) -> CheckpointError {
        CheckpointError(.adapterPattern, "a pattern takes too long: \(failure.message)")
    }
}

// Matches, with the errors of this module.
extension PythonPattern {
    /// `re.match`.
    func fitsPrefix(of text: String) throws(CheckpointError) -> Bool {
        do throws(Failure) { return try matchesPrefix(of: text) } catch { throw .slow(error) }
    }

    /// `re.fullmatch`.
    func fitsWhole(_ text: String) throws(CheckpointError) -> Bool {
        do throws(Failure) { return try matchesWhole(text) } catch { throw .slow(error) }
    }

    /// The first group of `re.match`.
    func group(ofPrefixOf text: String) throws(CheckpointError) -> String? {
        do throws(Failure) { return try firstGroup(ofPrefixOf: text) } catch { throw .slow(error) }
    }
}

internal import CheckpointIO

/// The value of `llm_int8_skip_modules` that makes transformers leave the same modules alone.
enum SkipList {
    /// The list; nil where the defaults of transformers do.
    ///
    /// A list replaces those defaults, so it names the output head as well. An entry is the last
    /// component of a name where all modules that end so are kept, else the whole name.
    /// - Parameters:
    ///   - kept: linear modules that stay as they are, in the order of the model.
    ///   - quantized: those that do not.
    ///   - heads: the output heads, which the defaults leave alone; also where they are not stored.
    /// - Returns: the entries in the order of the model, the heads first.
    static func modules(kept: [Name], quantized: [Name], heads: [Name]) -> [String]? {
        let isDefault =
            kept.allSatisfy(heads.contains) && !quantized.contains(where: heads.contains)
        guard !isDefault else { return nil }
        var entries: [Name] = heads.filter { !quantized.contains($0) }
        for module in kept {
            let last = lastComponent(of: module)
            let covers = { (entry: Name) in quantized.contains { $0.hasSuffix(entry.text) } }
            let entry = covers(last) ? module : last
            if !entries.contains(entry) { entries.append(entry) }
        }
        return entries.map(\.text)
    }

    private static func lastComponent(of module: Name) -> Name {
        Name(utf8: module.utf8.split(separator: UInt8(ascii: ".")).last ?? [])
    }
}

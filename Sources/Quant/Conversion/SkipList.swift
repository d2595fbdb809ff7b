internal import CheckpointIO

/// The value of `llm_int8_skip_modules` that makes transformers leave the same modules alone.
///
/// An entry means every module whose name ends with it, or begins with it up to a dot. A list
/// replaces the defaults of transformers, so it names the output head as well.
enum SkipList {
    /// The list for a known architecture, whose modules have the same names in transformers; nil
    /// where the defaults of transformers do.
    ///
    /// An entry is the last component of a name where all modules that end so are kept, else the
    /// whole name.
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
            let last = suffix(of: module, componentCount: 1)
            let covers = { (entry: Name) in quantized.contains { $0.hasSuffix(entry.text) } }
            let entry = covers(last) ? module : last
            if !entries.contains(entry) { entries.append(entry) }
        }
        return entries.map(\.text)
    }

    /// The list for an architecture that is not known: loaders may call its modules by other names,
    /// with other prefixes.
    ///
    /// An entry is as short an end of the name as means no quantized module.
    /// - Parameters:
    ///   - kept: matrices that stay as they are and may be linear layers, in the order of the model.
    ///   - quantized: those that do not.
    /// - Returns: the entries, those of tied heads first.
    static func modulesByEnding(kept: [Name], quantized: [Name]) -> [String] {
        func covers(_ entry: Name) -> Bool {
            quantized.contains { module in
                module == entry || module.hasSuffix(entry.text)
                    || module.hasPrefix(entry.text + ".")
            }
        }
        var entries = Checkpoint.tiedHeads.filter { !covers($0) }
        for module in kept where !entries.contains(where: module.endsInComponents(of:)) {
            let count = module.utf8.count { $0 == UInt8(ascii: ".") } + 1
            let endings = (1...count).lazy.map { suffix(of: module, componentCount: $0) }
            entries.append(endings.first { !covers($0) } ?? module)
        }
        return entries.map(\.text)
    }

    private static func suffix(of module: Name, componentCount: Int) -> Name {
        let components = module.utf8.split(
            separator: UInt8(ascii: "."),
            omittingEmptySubsequences: false
        )
        return Name(utf8: Array(components.suffix(componentCount).joined(separator: [0x2E])))
    }
}

extension Name {
    /// Whether the last components are those of another name.
    fileprivate func endsInComponents(of other: Name) -> Bool {
        self == other || hasSuffix("." + other.text)
    }
}

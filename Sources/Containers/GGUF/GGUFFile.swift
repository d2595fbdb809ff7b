public import Files

/// A GGUF file, version 2 or 3: metadata and tensor descriptions, all checked when it is opened.
///
/// The layout: `GGUF`, version (u32), tensor count, pair count (u64), the pairs (key, type, value),
/// the tensor infos (name, dimensions innermost first, type, offset), then from the next multiple
/// of `general.alignment` on the data. Everything is little-endian.
public struct GGUFFile: Sendable {
    /// Where the bytes come from.
    public let source: any ByteSource
    /// The version of the format: 2 or 3, which differ in nothing that is read.
    public let version: UInt32
    /// The multiple of bytes on which each tensor starts.
    public let alignment: Int
    /// The metadata, in file order.
    package let entries: [GGUFEntry]
    /// The tensors, in file order.
    package let tensors: [GGUFTensor]
    /// What is odd about the file, but harmless.
    public let warnings: [CheckpointWarning]
    private let entryIndex: [Name: Int]

    /// Reads the header of a file.
    /// - Throws: `CheckpointError` with a code `gguf.…` and the byte at fault, or what the source
    ///   gives.
    public init(source: any ByteSource) throws(CheckpointError) {
        var reader = GGUFHeaderReader(source: source)
        let counts = try reader.readPreamble()
        let (entries, entryIndex) = try reader.readEntries(count: counts.pairs)
        let alignment = try reader.alignment(entries: entries, index: entryIndex)
        let table = try reader.readTensors(count: counts.tensors, alignment: alignment)
        self.source = source
        self.version = counts.version
        self.alignment = alignment
        self.entries = entries
        self.entryIndex = entryIndex
        tensors = table.tensors
        warnings = table.warnings
    }

    /// Returns the entry of a key, if there is one.
    package func entry(_ key: Name) -> GGUFEntry? {
        entryIndex[key].map { entries[$0] }
    }
}

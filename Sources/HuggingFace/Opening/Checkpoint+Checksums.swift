public import Files
public import Machine
internal import Tensors

extension Checkpoint {
    /// `SHA256SUMS` of the folder that was opened; nil if there is none.
    /// - Throws: `file.checksumList`, or what reading throws.
    public func checksums() throws(CheckpointError) -> ChecksumFile? {
        let name = Name(ChecksumFile.fileName)
        guard let folder, folder.identity(of: name) != nil else { return nil }
        let file = try folder.file(named: name)
        guard file.byteCount > 0 else { return try ChecksumFile(parsing: []) }
        return try ChecksumFile(parsing: file.wholeText(limit: ChecksumFile.byteCountLimit))
    }

    /// Whether the folder has a file of that name.
    package func hasFile(_ path: String) -> Bool { folder?.identity(of: Name(path)) != nil }

    /// The length of a file of the folder; 0 if it is not there.
    package func byteCount(ofFile path: String) -> Int {
        folder?.identity(of: Name(path))?.byteCount ?? 0
    }

    /// Compares a file of the folder with its digest.
    /// - Throws: `file.checksum` if the content is another; `path.escape` for a path that leads out
    ///   of the folder; what reading throws.
    public func check(
        _ entry: ChecksumFile.Entry,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) {
        guard let folder else { return }
        guard OutputFolder.isPlain(entry.path) else {
            throw CheckpointError(
                .pathEscape,
                "the path \"\(Name.printable(entry.path))\" is none below the folder",
                file: ChecksumFile.fileName
            )
        }
        // The bytes are only looked at, so a link may lead anywhere.
        let file = try folder.file(named: Name(entry.path), followsLinks: true)
        let found = try FileDigest(of: file, budget: budget)
        guard found != entry.digest else { return }
        throw CheckpointError(
            .fileChecksum,
            "the content is not what \(ChecksumFile.fileName) says",
            file: entry.path,
            expected: entry.digest.hexadecimal,
            found: found.hexadecimal
        )
    }
}

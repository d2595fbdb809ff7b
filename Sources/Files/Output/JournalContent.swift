#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What a journal that an earlier run left says, as far as it is sound.
struct JournalContent {
    /// What decided the bytes of that run.
    let fingerprint: [Fingerprint.Field]
    /// The finished files in the order in which they were finished, each once.
    let entries: [Journal.Entry]
    /// The length of the sound lines; what follows is torn.
    let soundByteCount: Int

    /// The most that is read of a journal: a line for each of 10 000 shards with its notes, and the fingerprint.
    private static let byteLimit = 64 << 20

    /// Reads the journal of a folder.
    /// - Returns: `nil` if there is none, or nothing in it is sound.
    init?(in folder: Descriptor) throws(CheckpointError) {
        let descriptor: Descriptor
        switch Descriptor.open(
            Journal.fileName,
            below: folder,
            flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
            name: Journal.fileName
        ) {
        case .success(let opened): descriptor = opened
        case .failure(let failure) where failure.number == ENOENT || failure.number == ELOOP:
            return nil
        case .failure(let failure):
            throw .systemCall(failure.number, "open", file: Journal.fileName)
        }
        let status = try descriptor.status()
        guard status.isRegular, status.byteCount <= Self.byteLimit else { return nil }
        var bytes = [UInt8](repeating: 0, count: status.byteCount)
        try bytes.withMutableRawSpan { (span: inout MutableRawSpan) throws(CheckpointError) in
            try descriptor.read(at: 0, into: &span)
        }
        self.init(bytes)
    }

    /// Reads the text of a journal.
    init?(_ bytes: [UInt8]) {
        var fingerprint: [Fingerprint.Field]?
        var entries: [Journal.Entry] = []
        var position = 0
        while let newline = bytes[position...].firstIndex(of: 0x0A),
            let content = JournalLine.parse(bytes[position..<newline])
        {
            switch (content, fingerprint) {
            case (.fingerprint(let fields), nil): fingerprint = fields
            case (.finished(let entry), .some):
                // Written again because the first one was damaged.
                entries.removeAll { $0.file.utf8.elementsEqual(entry.file.utf8) }
                entries.append(entry)
            default: return nil
            }
            position = newline + 1
        }
        guard let fingerprint else { return nil }
        self.fingerprint = fingerprint
        self.entries = entries
        soundByteCount = position
    }
}

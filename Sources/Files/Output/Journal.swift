internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What a broken run had finished: `journal.jsonl` in the temporary folder.
///
/// The first line is the fingerprint, each further one a finished file with its size and digest.
/// A line is a JSON object whose last member `check` is the start of the SHA-256 of everything
/// before it, so a torn line is recognized. A line is appended and synchronized only after the
/// file that it speaks of.
final class Journal: Sendable {
    /// The version of this format; part of every fingerprint.
    static let formatVersion = 2
    static let fileName = "journal.jsonl"

    /// A finished file.
    struct Entry: Equatable {
        let file: String
        let byteCount: Int
        let digest: FileDigest
        /// What the run that continues wants to know of it, such as the errors of its tensors.
        var note: JSONObject?
    }

    private let descriptor: Descriptor
    private let state: Mutex<State>

    private struct State {
        var byteCount: Int
        var recorded: Set<String>
    }

    private init(_ descriptor: Descriptor, byteCount: Int, recorded: Set<String>) {
        self.descriptor = descriptor
        state = Mutex(State(byteCount: byteCount, recorded: recorded))
    }

    /// The names of the files that are recorded.
    var recordedNames: Set<String> { state.withLock { $0.recorded } }

    /// Starts a journal in a folder that has none.
    static func create(
        in folder: Descriptor,
        fingerprint: Fingerprint
    ) throws(CheckpointError) -> Journal {
        let descriptor: Descriptor
        switch Descriptor.open(
            fileName,
            below: folder,
            flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
            name: fileName
        ) {
        case .success(let opened): descriptor = opened
        case .failure(let failure): throw .systemCall(failure.number, "create", file: fileName)
        }
        let journal = Journal(descriptor, byteCount: 0, recorded: [])
        try journal.append(JournalLine.text(of: fingerprint))
        try folder.synchronize()
        return journal
    }

    /// Continues a journal after its last sound line.
    static func reopen(
        in folder: Descriptor,
        keeping content: JournalContent
    ) throws(CheckpointError) -> Journal {
        let descriptor: Descriptor
        switch Descriptor.open(
            fileName,
            below: folder,
            flags: O_RDWR | O_NOFOLLOW,
            name: fileName
        ) {
        case .success(let opened): descriptor = opened
        case .failure(let failure): throw .systemCall(failure.number, "open", file: fileName)
        }
        let journal = Journal(
            descriptor,
            byteCount: content.soundByteCount,
            recorded: Set(content.entries.map(\.file))
        )
        if try descriptor.status().byteCount != content.soundByteCount {
            try descriptor.truncate(byteCount: content.soundByteCount)
            try descriptor.synchronize()
        }
        return journal
    }

    /// Records a finished file that is on the medium.
    func append(_ entry: Entry) throws(CheckpointError) {
        try append(JournalLine.text(of: entry))
        _ = state.withLock { $0.recorded.insert(entry.file) }
    }

    /// Forgets a file that turned out to be damaged; a later line for it will count instead.
    func forget(_ file: String) {
        _ = state.withLock { $0.recorded.remove(file) }
    }

    /// Returns everything in the file.
    func bytes() throws(CheckpointError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: state.withLock { $0.byteCount })
        try bytes.withMutableRawSpan { (span: inout MutableRawSpan) throws(CheckpointError) in
            try descriptor.read(at: 0, into: &span)
        }
        return bytes
    }

    /// Closes the file; everything in it is on the medium already.
    func close() throws(CheckpointError) {
        try descriptor.close()
    }

    private func append(_ line: [UInt8]) throws(CheckpointError) {
        let offset = state.withLock { state in
            defer { state.byteCount += line.count }
            return state.byteCount
        }
        try line.withRawSpan { (bytes) throws(CheckpointError) in
            try descriptor.write(bytes, at: offset)
        }
        try descriptor.synchronize()
    }
}

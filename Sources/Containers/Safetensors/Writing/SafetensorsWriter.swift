package import Files
internal import Synchronization
internal import Tensors

/// Writes the tensors of one safetensors file: any piece of any tensor, in any order, from several
/// threads at once.
///
/// Every byte has to be written once; `finish()` checks that none is missing.
package final class SafetensorsWriter: Sendable {
    /// Where everything goes.
    package let layout: SafetensorsLayout
    /// The file; finished by whoever created it, once the writer is.
    package let file: OutputFile
    private let state: Mutex<State>

    private struct State {
        /// What is written of each ordinary tensor.
        var coverage: [ByteCoverage]
        /// The late tensors that are known.
        var late: [[UInt8]?]
        var isFinished = false
    }

    /// Starts a file that was created with `layout.maximumFileByteCount` bytes.
    package init(_ layout: SafetensorsLayout, to file: OutputFile) {
        self.layout = layout
        self.file = file
        state = Mutex(
            State(
                coverage: layout.entries.map { ByteCoverage(byteCount: $0.byteRange.count) },
                late: Array(repeating: nil, count: layout.lateTensors.count)
            )
        )
    }

    /// Writes a piece of a tensor.
    /// - Parameters:
    ///   - bytes: its bytes, little-endian.
    ///   - name: of an ordinary tensor of the layout.
    ///   - byteOffset: from the start of the tensor.
    /// - Precondition: the piece lies within the tensor, and no byte of it was written before.
    /// - Throws: `file.io`.
    package func write(
        _ bytes: RawSpan,
        of name: Name,
        at byteOffset: Int = 0
    ) throws(CheckpointError) {
        guard let position = layout.position(of: name) else {
            preconditionFailure("\(name) is not in the layout of \(file.fileName)")
        }
        try write(bytes, ofEntry: position, at: byteOffset)
    }

    /// Writes a piece of a tensor that is in an array; see `write(_:of:at:)`.
    /// - Throws: `file.io`.
    package func write(
        _ bytes: [UInt8],
        of name: Name,
        at byteOffset: Int = 0
    ) throws(CheckpointError) {
        try bytes.withRawSpan { (span) throws(CheckpointError) in
            try write(span, of: name, at: byteOffset)
        }
    }

    /// Writes a piece of the tensor at a position of `layout.entries`.
    package func write(
        _ bytes: RawSpan,
        ofEntry position: Int,
        at byteOffset: Int
    ) throws(CheckpointError) {
        let entry = layout.entries[position]
        let range = byteOffset..<byteOffset + bytes.byteCount
        precondition(
            byteOffset >= 0 && range.upperBound <= entry.byteRange.count,
            "bytes \(range) of the \(entry.byteRange.count) of \(entry.description.name)"
        )
        state.withLock { state in
            precondition(!state.isFinished, "\(file.fileName) is finished")
            let isNew = state.coverage[position].insert(range)
            precondition(isNew, "bytes \(range) of \(entry.description.name) are written twice")
        }
        let start = layout.headerByteCount + entry.byteRange.lowerBound
        try file.write(bytes, at: start + byteOffset)
    }

    /// Reads back a piece of a tensor that was written.
    package func read(
        of name: Name,
        at byteOffset: Int,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        guard let position = layout.position(of: name) else {
            preconditionFailure("\(name) is not in the layout of \(file.fileName)")
        }
        let start = layout.headerByteCount + layout.entries[position].byteRange.lowerBound
        try file.read(at: start + byteOffset, into: &bytes)
    }

    /// Gives the content of a late tensor.
    /// - Precondition: it is in the layout, not longer than announced, and given once.
    package func setLateTensor(_ name: Name, to bytes: [UInt8]) {
        guard let position = layout.latePosition(of: name) else {
            preconditionFailure("\(name) is no late tensor of \(file.fileName)")
        }
        let maximum = layout.lateTensors[position].maximumByteCount
        precondition(
            bytes.count <= maximum,
            "\(name) has \(bytes.count) bytes, announced were \(maximum)"
        )
        state.withLock { state in
            precondition(state.late[position] == nil, "\(name) is given twice")
            state.late[position] = bytes
        }
    }

    /// Writes the header and the late tensors and cuts the file to its final length.
    ///
    /// The file itself stays open: `OutputFolder.finishAndRecord(_:)` brings it to the medium.
    /// - Precondition: every byte of every tensor was written.
    /// - Throws: `file.io`.
    package func finish() throws(CheckpointError) {
        let late = state.withLock { state -> [[UInt8]] in
            precondition(!state.isFinished, "\(file.fileName) is finished twice")
            state.isFinished = true
            for (entry, coverage) in zip(layout.entries, state.coverage) {
                precondition(
                    coverage.isComplete,
                    "\(coverage.missingByteCount) bytes of \(entry.description.name) are missing"
                )
            }
            return zip(layout.lateTensors, state.late).map { tensor, bytes in
                guard let bytes else { preconditionFailure("\(tensor.name) is missing") }
                return bytes
            }
        }
        let header = layout.header(lateByteCounts: late.map(\.count))
        try header.withRawSpan { (bytes) throws(CheckpointError) in try file.write(bytes, at: 0) }
        var end = layout.headerByteCount + layout.dataByteCount
        for tensor in late {
            try tensor.withRawSpan { (bytes) throws(CheckpointError) in
                try file.write(bytes, at: end)
            }
            end += tensor.count
        }
        try file.truncate(byteCount: end)
    }
}

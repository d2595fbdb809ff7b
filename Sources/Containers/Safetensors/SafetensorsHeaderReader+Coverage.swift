internal import Files
internal import Tensors

extension SafetensorsHeaderReader {
    /// Sorts entries by their data and makes sure that these follow each other without holes or
    /// overlaps up to the end of the file.
    static func checkCoverage(
        _ entries: inout [RawEntry],
        dataOffset: Int,
        fileByteCount: Int
    ) throws(CheckpointError) {
        // Stable, so that empty tensors at one place keep the header's order.
        entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var previous: RawEntry?
        for entry in entries {
            let end = previous?.end ?? 0
            if entry.begin < end, let previous {
                throw CheckpointError(
                    .stOverlap,
                    "the data begins at \(entry.begin), inside that of tensor"
                        + " \"\(previous.description.name)\", which ends at \(end)",
                    tensor: entry.description.name,
                    offset: entry.place
                )
            }
            guard entry.begin == end else {
                throw CheckpointError(
                    .stHole,
                    "the data begins at \(entry.begin), but that before it ends at \(end)",
                    tensor: entry.description.name,
                    offset: entry.place
                )
            }
            previous = entry
        }
        try checkEnd(
            of: previous?.end ?? 0,
            dataOffset: dataOffset,
            fileByteCount: fileByteCount
        )
    }

    private static func checkEnd(
        of dataByteCount: UInt64,
        dataOffset: Int,
        fileByteCount: Int
    ) throws(CheckpointError) {
        let present = UInt64(fileByteCount - dataOffset)
        guard dataByteCount != present else { return }
        let wanted = dataByteCount.addingReportingOverflow(UInt64(dataOffset))
        let isShort = dataByteCount > present
        let difference = isShort ? dataByteCount - present : present - dataByteCount
        throw CheckpointError(
            .stNotCovered,
            "the header describes a file of "
                + (wanted.overflow ? "more than 2^64" : "\(wanted.partialValue)")
                + " bytes, this one has \(fileByteCount)",
            offset: isShort ? UInt64(fileByteCount) : wanted.partialValue,
            hint: isShort
                ? "the file is \(difference) bytes shorter than its header says; download it again"
                : "\(difference) bytes at the end belong to no tensor"
        )
    }
}

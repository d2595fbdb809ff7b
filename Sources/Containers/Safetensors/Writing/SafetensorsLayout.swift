package import Files
internal import Tensors

/// Where everything goes in a safetensors file, known before any data is.
///
/// The order is that of the reference writer: widest element type first (`DType.writingRank`), then
/// by the bytes of the name, without gaps; the header is padded with spaces to a multiple of 8. A
/// file of ordinary tensors is therefore equal, byte for byte, to what that writer makes.
///
/// Tensors whose length is known only at the end (`LateTensor`) follow all others, in order of
/// their names, and the header is padded to what it may need at most.
package struct SafetensorsLayout: Sendable {
    /// A tensor of bytes whose length is known only when everything else is written.
    package struct LateTensor: Hashable, Sendable {
        /// The name.
        package let name: Name
        /// The most bytes that it may have.
        package let maximumByteCount: Int

        /// Announces a tensor of type U8 with one dimension.
        /// - Precondition: `maximumByteCount >= 0`.
        package init(name: Name, maximumByteCount: Int) {
            precondition(maximumByteCount >= 0, "\(maximumByteCount) bytes of \(name)")
            self.name = name
            self.maximumByteCount = maximumByteCount
        }
    }

    /// A tensor and its place.
    package struct Entry: Sendable {
        /// What the tensor is.
        package let description: TensorDescription
        /// Its bytes, counted from the end of the header.
        package let byteRange: Range<Int>
    }

    /// The ordinary tensors in the order of the file.
    package let entries: [Entry]
    /// The late tensors in the order of the file, behind all others.
    package let lateTensors: [LateTensor]
    /// Names and values of the header's `__metadata__`, in the order of the file.
    package let metadata: [Metadata]
    /// The bytes before the data: the length field and the padded header.
    package let headerByteCount: Int
    /// The bytes of the ordinary tensors.
    package let dataByteCount: Int
    private let positions: [Name: Int]
    private let latePositions: [Name: Int]

    /// A line of `__metadata__`.
    package struct Metadata: Hashable, Sendable {
        /// Its key.
        package let key: Name
        /// Its text.
        package let value: Name

        /// Makes a line.
        package init(_ key: Name, _ value: Name) {
            self.key = key
            self.value = value
        }

        /// What every consumer in the Hugging Face world expects: `{"format": "pt"}`.
        package static let formatPyTorch = Metadata("format", "pt")
    }

    /// Lays out a file.
    /// - Parameters:
    ///   - tensors: in any order.
    ///   - lateTensors: in any order.
    ///   - metadata: in any order, each key once; empty for none.
    /// - Throws: `st.duplicateName` if two tensors share a name, or one is called `__metadata__`;
    ///   `st.overflow`; `st.headerTooLarge`; `limit.nameLength`.
    package init(
        tensors: [TensorDescription],
        lateTensors: [LateTensor] = [],
        metadata: [Metadata] = [.formatPyTorch]
    ) throws(CheckpointError) {
        let sorted = tensors.sorted { left, right in
            (left.dtype.writingRank, left.name) < (right.dtype.writingRank, right.name)
        }
        let sortedLate = lateTensors.sorted { $0.name < $1.name }
        var positions: [Name: Int] = [:]
        var entries: [Entry] = []
        var end = 0
        for (index, tensor) in sorted.enumerated() {
            let byteCount = try Self.byteCount(of: tensor)
            let (next, overflow) = end.addingReportingOverflow(byteCount)
            guard !overflow else { throw Self.overflow(tensor.name) }
            entries.append(Entry(description: tensor, byteRange: end..<next))
            end = next
            guard positions.updateValue(index, forKey: tensor.name) == nil else {
                throw Self.duplicate(tensor.name)
            }
        }
        var latePositions: [Name: Int] = [:]
        var bound = end
        for (index, late) in sortedLate.enumerated() {
            let (next, overflow) = bound.addingReportingOverflow(late.maximumByteCount)
            guard !overflow else { throw Self.overflow(late.name) }
            bound = next
            guard positions[late.name] == nil,
                latePositions.updateValue(index, forKey: late.name) == nil
            else { throw Self.duplicate(late.name) }
        }
        for name in sorted.map(\.name) + sortedLate.map(\.name) {
            guard name != "__metadata__" else { throw Self.duplicate(name) }
            guard name.utf8.count <= 4096 else {
                throw CheckpointError(
                    .limitNameLength,
                    "a name of \(name.utf8.count) bytes (at most 4096)",
                    tensor: name
                )
            }
        }
        let longest = SafetensorsHeaderText.text(
            metadata: metadata,
            entries: entries,
            late: sortedLate.map { ($0, $0.maximumByteCount) }
        )
        let padded = (longest.count + 7) / 8 * 8
        guard padded <= 100_000_000 else {
            throw CheckpointError(
                .stHeaderTooLarge,
                "the header needs more than 100000000 bytes",
                found: "\(padded)",
                hint: "use more shards"
            )
        }
        guard bound <= Int.max - padded - 8 else { throw Self.overflow(nil) }
        headerByteCount = 8 + padded
        dataByteCount = end
        self.entries = entries
        self.lateTensors = sortedLate
        self.metadata = metadata
        self.positions = positions
        self.latePositions = latePositions
    }

    /// The length of the file, with late tensors at their longest.
    package var maximumFileByteCount: Int {
        headerByteCount + dataByteCount + lateTensors.reduce(0) { $0 + $1.maximumByteCount }
    }

    /// Where the header ends and each tensor begins, in bytes from the start of the file.
    ///
    /// Where to cut a file so that each tensor can be unpacked singly; see `ZstdWriter`.
    package var boundaries: [Int] {
        entries.map { headerByteCount + $0.byteRange.lowerBound }
            + [headerByteCount + dataByteCount]
    }

    /// The place of an ordinary tensor in `entries`.
    package func position(of name: Name) -> Int? { positions[name] }

    /// The place of a late tensor in `lateTensors`.
    package func latePosition(of name: Name) -> Int? { latePositions[name] }

    /// Returns the length field and the header, padded to `headerByteCount`.
    /// - Parameter lateByteCounts: the lengths of the late tensors, in their order.
    /// - Returns: the first `headerByteCount` bytes of the file.
    /// - Precondition: one length for each, none above its maximum.
    package func header(lateByteCounts: [Int] = []) -> [UInt8] {
        precondition(
            lateByteCounts.count == lateTensors.count,
            "\(lateByteCounts.count) lengths for \(lateTensors.count) late tensors"
        )
        for (late, byteCount) in zip(lateTensors, lateByteCounts) {
            precondition(
                0...late.maximumByteCount ~= byteCount,
                "\(late.name) has \(byteCount) bytes, announced were \(late.maximumByteCount)"
            )
        }
        let text = SafetensorsHeaderText.text(
            metadata: metadata,
            entries: entries,
            late: Array(zip(lateTensors, lateByteCounts))
        )
        let length = UInt64(headerByteCount - 8)
        var bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
        bytes += text
        bytes += repeatElement(0x20, count: headerByteCount - bytes.count)
        return bytes
    }

    // MARK: Checks

    private static func byteCount(of tensor: TensorDescription) throws(CheckpointError) -> Int {
        var bits = tensor.dtype.bitCount
        for length in tensor.shape {
            let (product, overflow) = bits.multipliedReportingOverflow(by: length)
            guard !overflow else { throw Self.overflow(tensor.name) }
            bits = product
        }
        guard bits.isMultiple(of: 8) else {
            throw CheckpointError(
                .stSizeMismatch,
                "\(tensor.shape) of \(tensor.dtype.rawValue) does not fill whole bytes",
                tensor: tensor.name
            )
        }
        return bits / 8
    }

    private static func overflow(_ name: Name?) -> CheckpointError {
        CheckpointError(.stOverflow, "the file would have more than 2^63 - 1 bytes", tensor: name)
    }

    private static func duplicate(_ name: Name) -> CheckpointError {
        CheckpointError(
            .stDuplicateName,
            name == "__metadata__" ? "this name is reserved" : "two tensors would have this name",
            tensor: name
        )
    }
}

internal import Files

extension GGUFHeaderReader {
    /// Dimensions of a tensor.
    static let rankLimit = 4
    /// Bytes of a tensor's name: the 64 of the reference hold a zero at the end.
    static let nameLimit = 63
    /// The alignment of a file that states none, in bytes.
    static let defaultAlignment = 32

    /// Returns the alignment of the data, from `general.alignment`.
    func alignment(
        entries: [GGUFEntry],
        index: [Name: Int]
    ) throws(CheckpointError) -> Int {
        guard let entry = index["general.alignment"].map({ entries[$0] }) else {
            return Self.defaultAlignment
        }
        guard case .unsigned(let bytes, .uint32) = entry.value else {
            throw entry.wrongType(expected: "uint32", file: cursor.source.fileName)
        }
        guard bytes >= 8, bytes <= 1 << 20, bytes & (bytes - 1) == 0 else {
            var error = cursor.error(
                .ggufAlignment,
                "the alignment is unusable",
                at: entry.valueOffset,
                expected: "a power of two from 8 to 1048576",
                found: "\(bytes)"
            )
            error.key = entry.key.text
            throw error
        }
        return Int(bytes)
    }

    /// Reads the tensor infos, and places the tensors in the data section that follows them.
    mutating func readTensors(
        count: Int,
        alignment: Int
    ) throws(CheckpointError) -> (tensors: [GGUFTensor], warnings: [CheckpointWarning]) {
        var infos: [Info] = []
        var names: Set<Name> = []
        var end = 0
        for _ in 0..<count {
            let info = try readInfo(alignment: alignment, expectedOffset: end)
            guard names.insert(info.name).inserted else {
                throw cursor.error(.ggufDuplicateName, "two tensors of that name", at: info.start)
                    .ofTensor(info.name)
            }
            end += info.paddedByteCount
            infos.append(info)
        }
        let dataStart = (cursor.position + alignment - 1) & ~(alignment - 1)
        return try place(infos, from: dataStart)
    }

    /// What one tensor info says; sizes are checked, the place in the file is not.
    private struct Info {
        let name: Name
        let type: GGUFTensorType
        let shape: [Int]
        let byteCount: Int
        let paddedByteCount: Int
        /// Where the info itself and its offset field are.
        let start: Int
        let offsetField: Int
    }

    /// Turns offsets into places in the file.
    private func place(
        _ infos: [Info],
        from dataStart: Int
    ) throws(CheckpointError) -> (tensors: [GGUFTensor], warnings: [CheckpointWarning]) {
        let fileEnd = cursor.source.byteCount
        var tensors: [GGUFTensor] = []
        tensors.reserveCapacity(infos.count)
        var start = dataStart
        for info in infos {
            let (end, overflow) = start.addingReportingOverflow(info.byteCount)
            guard !overflow, end <= fileEnd else {
                throw cursor.error(
                    .ggufBeyondFile,
                    "the data ends beyond the file",
                    at: info.offsetField,
                    expected: overflow ? "a representable size" : "\(end) bytes",
                    found: "\(fileEnd)"
                ).ofTensor(info.name)
            }
            tensors.append(
                GGUFTensor(
                    name: info.name,
                    type: info.type,
                    shape: info.shape,
                    bytes: start..<end
                )
            )
            // Cannot overflow: the end lies in the file, and the padding is at most the alignment.
            start += info.paddedByteCount
        }
        guard start < fileEnd else { return (tensors, []) }
        let finding = cursor.error(
            .ggufTrailing,
            "\(fileEnd - start) bytes follow the last tensor",
            at: start
        )
        return (tensors, [CheckpointWarning(finding)])
    }

    private mutating func readInfo(
        alignment: Int,
        expectedOffset: Int
    ) throws(CheckpointError) -> Info {
        let start = cursor.position
        let name = try readTensorName()
        do throws(CheckpointError) {
            let (shape, elementCount, shapeField) = try readShape()
            let type = try readTensorType(rowLength: shape.last ?? 1, shapeField: shapeField)
            // The rows are whole blocks, so the tensor is.
            let blockCount = elementCount / type.blockLength
            let (byteCount, overflow) = blockCount.multipliedReportingOverflow(
                by: type.blockByteCount
            )
            let (paddedEnd, paddedOverflow) = byteCount.addingReportingOverflow(alignment - 1)
            let padded = paddedEnd & ~(alignment - 1)
            guard !overflow, !paddedOverflow,
                !expectedOffset.addingReportingOverflow(padded).overflow
            else {
                throw cursor.error(
                    .ggufOverflow,
                    "the size in bytes is not representable",
                    at: shapeField,
                    expected: "fewer than 2^63 bytes",
                    found: "\(elementCount) elements of \(type.name)"
                )
            }
            let offsetField = cursor.position
            try readOffset(alignment: alignment, expected: expectedOffset)
            return Info(
                name: name,
                type: type,
                shape: shape,
                byteCount: byteCount,
                paddedByteCount: padded,
                start: start,
                offsetField: offsetField
            )
        } catch {
            throw error.ofTensor(name)
        }
    }

    private mutating func readTensorName() throws(CheckpointError) -> Name {
        let offset = cursor.position
        let count = try readStringLength(field: "the name of a tensor", at: offset)
        guard (1...Self.nameLimit).contains(count) else {
            throw cursor.error(
                .ggufName,
                "the name of a tensor is too long, or empty",
                at: offset,
                expected: "1 to \(Self.nameLimit) bytes",
                found: "\(count)"
            )
        }
        let bytes = try cursor.takeBytes(count)
        guard isPrintableText(bytes) else {
            throw cursor.error(
                .ggufName,
                "the name of a tensor is not UTF-8 text without control characters",
                at: offset,
                expected: "text",
                found: String(decoding: bytes, as: UTF8.self)
            )
        }
        return Name(utf8: bytes)
    }

    /// Reads the dimensions, innermost first, and returns them outermost first.
    private mutating func readShape() throws(CheckpointError) -> (
        shape: [Int], elementCount: Int, field: Int
    ) {
        let field = cursor.position
        let rank = try cursor.take(UInt32.self, field: "the number of dimensions")
        guard (1...UInt32(Self.rankLimit)).contains(rank) else {
            throw cursor.error(
                .ggufDims,
                "no tensor has that many dimensions",
                at: field,
                expected: "1 to \(Self.rankLimit)",
                found: "\(rank)"
            )
        }
        var shape: [Int] = []
        var elementCount = 1
        for _ in 0..<rank {
            let offset = cursor.position
            let length = try cursor.take(UInt64.self, field: "a dimension")
            guard length > 0 else {
                throw cursor.error(
                    .ggufDims,
                    "a dimension is 0",
                    at: offset,
                    expected: "1 or more",
                    found: "0"
                )
            }
            let product = elementCount.multipliedReportingOverflow(by: Int(clamping: length))
            guard length <= UInt64(Int.max), !product.overflow else {
                throw cursor.error(
                    .ggufOverflow,
                    "the number of elements is not representable",
                    at: offset,
                    expected: "fewer than 2^63 elements",
                    found: "a dimension of \(length)"
                )
            }
            elementCount = product.partialValue
            shape.insert(Int(length), at: 0)
        }
        return (shape, elementCount, field)
    }

    private mutating func readTensorType(
        rowLength: Int,
        shapeField: Int
    ) throws(CheckpointError) -> GGUFTensorType {
        let offset = cursor.position
        let number = try cursor.take(UInt32.self, field: "the type of a tensor")
        guard let type = GGUFTensorType(rawValue: number) else {
            if let name = GGUFTensorType.unsupportedName(number) {
                throw cursor.error(
                    .ggufUnsupported,
                    "tensors of type \(name) are not read",
                    at: offset,
                    expected: GGUFTensorType.allCases.map(\.name).joined(separator: ", "),
                    found: name
                )
            }
            let isRemoved = GGUFTensorType.isRemoved(number)
            throw cursor.error(
                .ggufType,
                isRemoved
                    ? "a tensor type that was removed from the format" : "no such tensor type",
                at: offset,
                found: "\(number)"
            )
        }
        guard rowLength % type.blockLength == 0 else {
            // Writers fall back to another type for such rows, some silently pad: nothing to trust.
            throw cursor.error(
                type.blockLength == 32 ? .ggufBlockSize : .ggufUnsupported,
                "rows of \(type.name) are whole blocks",
                at: shapeField,
                expected: "a multiple of \(type.blockLength)",
                found: "\(rowLength)"
            )
        }
        return type
    }

    private mutating func readOffset(alignment: Int, expected: Int) throws(CheckpointError) {
        let field = cursor.position
        let offset = try cursor.take(UInt64.self, field: "the offset of a tensor")
        guard offset % UInt64(alignment) == 0 else {
            throw cursor.error(
                .ggufOffset,
                "the data does not start on the alignment",
                at: field,
                expected: "a multiple of \(alignment)",
                found: "\(offset)"
            )
        }
        guard offset == UInt64(expected) else {
            throw cursor.error(
                .ggufOffset,
                "the data does not follow that of the tensor before",
                at: field,
                expected: "\(expected)",
                found: "\(offset)"
            )
        }
    }
}

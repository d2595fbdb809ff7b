internal import Files
internal import Tensors

/// Reads the JSON of a safetensors header entry by entry, without building a tree of it.
struct SafetensorsHeaderReader {
    /// A tensor as the header states it.
    struct RawEntry {
        let description: TensorDescription
        let begin: UInt64
        let end: UInt64
        /// Where the offsets stand in the file.
        let place: UInt64
    }

    private(set) var metadata = JSONObject()
    /// The entries in the order of the header.
    var entries: [RawEntry] = []
    private var scanner: JSONScanner
    private var names: Set<Name> = []

    private static let metadataKey: Name = "__metadata__"

    init(text: [UInt8]) {
        scanner = JSONScanner(text, baseOffset: 8)
    }

    /// Reads the whole text.
    mutating func read() throws(CheckpointError) {
        guard case .beginObject = try scanner.next() else {
            throw CheckpointError(
                .stHeaderStart,
                "the header is not a JSON object",
                offset: scanner.tokenOffset
            )
        }
        var hasMetadata = false
        while case .key(let token) = try scanner.next() {
            let place = scanner.tokenOffset
            let name = Name(utf8: scanner.content(of: token))
            if name == SafetensorsHeaderReader.metadataKey {
                guard !hasMetadata else {
                    throw CheckpointError(
                        .jsonDuplicateKey,
                        "the key occurs twice in one object",
                        key: name.text,
                        offset: place
                    )
                }
                hasMetadata = true
                try readMetadata()
            } else {
                try check(name, at: place)
                do throws(CheckpointError) {
                    try readEntry(name)
                } catch {
                    throw error.ofTensor(name)
                }
            }
        }
        _ = try scanner.next()
    }

    // MARK: Names and metadata

    private mutating func check(_ name: Name, at place: UInt64) throws(CheckpointError) {
        guard name.utf8.count <= Name.tensorByteCountLimit else {
            throw CheckpointError(
                .limitNameLength,
                "a name of \(name.utf8.count) bytes; \(Name.tensorByteCountLimit) are allowed",
                tensor: name,
                offset: place
            )
        }
        guard !name.hasControlCharacters else {
            throw CheckpointError(
                .stBadName,
                "the name contains a control character",
                tensor: name,
                offset: place
            )
        }
        guard names.insert(name).inserted else {
            throw CheckpointError(
                .stDuplicateName,
                "the name occurs twice",
                tensor: name,
                offset: place
            )
        }
        guard names.count <= SafetensorsHeader.tensorCountLimit else {
            throw CheckpointError(
                .limitCount,
                "more than \(SafetensorsHeader.tensorCountLimit) tensors",
                offset: place
            )
        }
    }

    private mutating func readMetadata() throws(CheckpointError) {
        let first = try scanner.next()
        let place = scanner.tokenOffset
        let key = SafetensorsHeaderReader.metadataKey.text
        let value: JSONValue
        do throws(CheckpointError) {
            value = try JSONTreeBuilder.value(startingWith: first, from: &scanner)
        } catch {
            var error = error
            if let inner = error.key { error.key = "\(key).\(inner)" }
            throw error
        }
        if case .null = value { return }
        guard case .object(let object) = value else {
            throw CheckpointError(
                .jsonType,
                "the metadata is not an object",
                key: key,
                offset: place,
                expected: "an object",
                found: value.typeName
            )
        }
        for member in object.members {
            guard case .string = member.value else {
                throw CheckpointError(
                    .jsonType,
                    "a metadata value is not a string",
                    key: "\(key).\(member.key.text)",
                    offset: member.valueOffset,
                    expected: "a string",
                    found: member.value.typeName
                )
            }
            guard !member.key.hasControlCharacters else {
                throw CheckpointError(
                    .stBadName,
                    "a metadata key contains a control character",
                    key: "\(key).\(member.key.text)",
                    offset: member.keyOffset
                )
            }
        }
        metadata = object
    }

    // MARK: Entries

    private mutating func readEntry(_ name: Name) throws(CheckpointError) {
        let first = try scanner.next()
        let place = scanner.tokenOffset
        guard case .beginObject = first else {
            // What is wrong inside of it, its depth above all, matters more.
            let value = try JSONTreeBuilder.value(startingWith: first, from: &scanner)
            throw CheckpointError(
                .jsonType,
                "the entry is not an object",
                offset: place,
                expected: "an object",
                found: value.typeName
            )
        }
        var dtype: DType?
        var shape: (dimensions: [UInt64], place: UInt64)?
        var offsets: (begin: UInt64, end: UInt64, place: UInt64)?
        var otherFields: Set<Name> = []
        while case .key(let token) = try scanner.next() {
            let keyPlace = scanner.tokenOffset
            let isNew: Bool
            switch field(token) {
            case .dtype:
                isNew = dtype == nil
                if isNew { dtype = try readDType() }
            case .shape:
                isNew = shape == nil
                if isNew { shape = try readShape() }
            case .dataOffsets:
                isNew = offsets == nil
                if isNew { offsets = try readOffsets() }
            case .other(let key):
                isNew = otherFields.insert(key).inserted
                if isNew {
                    _ = try JSONTreeBuilder.value(startingWith: scanner.next(), from: &scanner)
                }
            }
            guard isNew else {
                throw CheckpointError(
                    .jsonDuplicateKey,
                    "the key occurs twice in one object",
                    key: String(decoding: scanner.content(of: token), as: UTF8.self),
                    offset: keyPlace
                )
            }
        }
        guard let dtype else { throw missing("dtype", at: place) }
        guard let shape else { throw missing("shape", at: place) }
        guard let offsets else { throw missing("data_offsets", at: place) }
        let description = try describe(name, dtype, shape.dimensions, at: shape.place)
        guard offsets.begin <= offsets.end else {
            throw CheckpointError(
                .stOffsets,
                "data_offsets end at \(offsets.end), before they begin at \(offsets.begin)",
                offset: offsets.place
            )
        }
        guard description.elementCount * dtype.bitCount % 8 == 0 else {
            throw CheckpointError(
                .stSizeMismatch,
                "\(description.elementCount) elements of \(dtype.bitCount) bits do not fill bytes",
                offset: shape.place
            )
        }
        guard UInt64(description.byteCount) == offsets.end - offsets.begin else {
            throw CheckpointError(
                .stSizeMismatch,
                "shape \(description.shape) of \(dtype.rawValue) needs \(description.byteCount)"
                    + " bytes, data_offsets give \(offsets.end - offsets.begin)",
                offset: offsets.place
            )
        }
        entries.append(
            RawEntry(
                description: description,
                begin: offsets.begin,
                end: offsets.end,
                place: offsets.place
            )
        )
    }

    private enum Field {
        case dtype
        case shape
        case dataOffsets
        case other(Name)
    }

    private func field(_ token: JSONScanner.StringToken) -> Field {
        let content = scanner.content(of: token)
        return switch content.count {
        case 5 where content.elementsEqual("dtype".utf8): .dtype
        case 5 where content.elementsEqual("shape".utf8): .shape
        case 12 where content.elementsEqual("data_offsets".utf8): .dataOffsets
        default: .other(Name(utf8: content))
        }
    }

    private mutating func readDType() throws(CheckpointError) -> DType {
        guard case .string(let token) = try scanner.next() else {
            throw typeError("dtype is not a string", key: "dtype", expected: "a string")
        }
        let spelling = String(decoding: scanner.content(of: token), as: UTF8.self)
        guard let dtype = DType(rawValue: spelling) else {
            throw CheckpointError(
                .stDtype,
                "\"\(Name.printable(spelling))\" is not an element type of the format",
                offset: scanner.tokenOffset
            )
        }
        return dtype
    }

    private mutating func readShape() throws(CheckpointError) -> ([UInt64], place: UInt64) {
        let (dimensions, count, place) = try readNumbers("shape", keeping: 16)
        guard count == dimensions.count else {
            throw CheckpointError(
                .limitRank,
                "\(count) dimensions; 16 are allowed",
                offset: place
            )
        }
        return (dimensions, place)
    }

    private mutating func readOffsets() throws(CheckpointError) -> (UInt64, UInt64, place: UInt64) {
        let (numbers, count, place) = try readNumbers("data_offsets", keeping: 2)
        guard count == 2 else {
            throw CheckpointError(
                .jsonType,
                "data_offsets are not a pair",
                key: "data_offsets",
                offset: place,
                expected: "2 numbers",
                found: "\(count)"
            )
        }
        return (numbers[0], numbers[1], place)
    }

    /// Reads a list of unsigned numbers, of which only the first are kept.
    private mutating func readNumbers(
        _ key: String,
        keeping limit: Int
    ) throws(CheckpointError) -> (numbers: [UInt64], count: Int, place: UInt64) {
        guard case .beginArray = try scanner.next() else {
            throw typeError("\(key) is not a list", key: key, expected: "a list of numbers")
        }
        let place = scanner.tokenOffset
        var numbers: [UInt64] = []
        var count = 0
        while true {
            switch try scanner.next() {
            case .number(let range):
                let number = try unsigned(range, key)
                if numbers.count < limit { numbers.append(number) }
                count += 1
            case .endArray: return (numbers, count, place)
            default:
                throw typeError(
                    "\(key) holds something else than numbers",
                    key: key,
                    expected: "a list of numbers"
                )
            }
        }
    }

    private func unsigned(_ range: Range<Int>, _ key: String) throws(CheckpointError) -> UInt64 {
        var value: UInt64 = 0
        for byte in scanner.bytes[range] {
            let digit = byte &- UInt8(ascii: "0")
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard digit < 10, !overflow, !carry else {
                throw CheckpointError(
                    .jsonNumber,
                    "\(key) needs unsigned integers of 64 bits",
                    key: key,
                    offset: scanner.tokenOffset,
                    expected: "an unsigned integer",
                    found: Name.printable(scanner.spelling(of: range))
                )
            }
            value = sum
        }
        return value
    }

    /// Describes a tensor whose bits can be counted in 63 bits.
    private func describe(
        _ name: Name,
        _ dtype: DType,
        _ dimensions: [UInt64],
        at place: UInt64
    ) throws(CheckpointError) -> TensorDescription {
        var shape: [Int] = []
        var bitCount = 1
        var overflows = false
        for dimension in dimensions {
            guard let length = Int(exactly: dimension) else {
                overflows = true
                break
            }
            shape.append(length)
            let (product, overflow) = bitCount.multipliedReportingOverflow(by: length)
            overflows = overflows || overflow
            bitCount = product
        }
        overflows = overflows || bitCount.multipliedReportingOverflow(by: dtype.bitCount).overflow
        guard !overflows else {
            throw CheckpointError(
                .stOverflow,
                "shape \(dimensions) of \(dtype.rawValue) has more than 2^63 bits",
                offset: place
            )
        }
        return TensorDescription(name: name, dtype: dtype, shape: shape)
    }

    private func missing(_ key: String, at place: UInt64) -> CheckpointError {
        CheckpointError(.jsonMissingKey, "a key is missing", key: key, offset: place)
    }

    private func typeError(
        _ message: String,
        key: String,
        expected: String
    ) -> CheckpointError {
        CheckpointError(
            .jsonType,
            message,
            key: key,
            offset: scanner.tokenOffset,
            expected: expected,
            found: "something else"
        )
    }
}

extension Name {
    /// The longest name of a tensor, in bytes.
    package static let tensorByteCountLimit = 4096
}

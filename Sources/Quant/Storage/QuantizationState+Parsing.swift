internal import CheckpointIO
internal import Tensors

extension QuantizationState {
    /// Every key that the reference reader knows; another one keeps it from loading the model.
    private static let requiredKeys: Set<Name> = ["quant_type", "blocksize", "dtype", "shape"]
    private static let nestedKeys: Set<Name> = [
        "nested_blocksize", "nested_dtype", "nested_offset",
    ]

    /// Reads a state.
    /// - Parameters:
    ///   - bytes: the whole text.
    ///   - format: what the name of the tensor says.
    ///   - isNested: whether the tensors beside it are those of nested scales.
    /// - Throws: `quant.state`, or `quant.shape` for an impossible shape.
    init(
        parsing bytes: [UInt8],
        format: QuantizationFormat,
        isNested: Bool
    ) throws(CheckpointError) {
        do throws(CheckpointError) {
            try self.init(JSONObject(parsing: bytes), format, isNested: isNested)
        } catch  where error.code != .quantShape {
            throw CheckpointError(
                .quantState,
                error.code == .quantState ? error.message : "no valid state: \(error.message)",
                key: error.key,
                offset: error.offset,
                expected: error.expected,
                found: error.found
            )
        }
    }

    private init(
        _ json: JSONObject,
        _ format: QuantizationFormat,
        isNested: Bool
    ) throws(CheckpointError) {
        for member in json.members
        where !Self.requiredKeys.contains(member.key) && !Self.nestedKeys.contains(member.key) {
            throw Self.error("the key is not known", member.key)
        }
        let type = try json.string("quant_type")
        guard type == format.rawValue else {
            throw Self.error(
                "the type is not that of the tensor's name",
                "quant_type",
                expected: format.rawValue,
                found: type
            )
        }
        self.format = format
        let size = try json.integer("blocksize")
        guard let blockSize = BlockSize(rawValue: size) else {
            throw Self.error(
                "the block size is none that is allowed",
                "blocksize",
                expected: "a power of two from 32 to 4096",
                found: "\(size)"
            )
        }
        self.blockSize = blockSize
        let typeName = try json.string("dtype")
        guard let dtype = FloatDType(rawValue: typeName) else {
            throw Self.error(
                "the type is none that can be quantized",
                "dtype",
                expected: "float32, bfloat16 or float16",
                found: typeName
            )
        }
        self.dtype = dtype
        (rowCount, columnCount) = try Self.shape(json)
        nestedOffset = isNested ? try Self.nestedOffset(json) : nil
        if !isNested, let member = json.members.first(where: { Self.nestedKeys.contains($0.key) }) {
            throw Self.error("the key belongs to nested scales, and these are not", member.key)
        }
    }

    /// Reads the two positive dimensions of `shape`.
    static func shape(_ json: JSONObject) throws(CheckpointError) -> (Int, Int) {
        let values = try json.array("shape")
        let numbers = values.compactMap { value -> Int? in
            guard case .number(let number) = value else { return nil }
            return number.integer
        }
        guard numbers.count == values.count, numbers.count == 2, numbers.allSatisfy({ $0 > 0 }),
            !numbers[0].multipliedReportingOverflow(by: numbers[1]).overflow
        else {
            throw CheckpointError(
                .quantShape,
                "the shape in the state is none of a matrix",
                key: "shape",
                expected: "two positive integers",
                found: JSONValue.array(values).text()
            )
        }
        return (numbers[0], numbers[1])
    }

    private static func nestedOffset(_ json: JSONObject) throws(CheckpointError) -> Float {
        let size = try json.integer("nested_blocksize")
        guard size == DoubleQuantizedAbsmax.blockSize else {
            throw error(
                "nested scales come in other blocks",
                "nested_blocksize",
                expected: "\(DoubleQuantizedAbsmax.blockSize)",
                found: "\(size)"
            )
        }
        // bfloat16 and float16 occur; scales are restored in float32 all the same.
        let typeName = try json.string("nested_dtype")
        guard FloatDType(rawValue: typeName) != nil else {
            throw error(
                "the type of nested scales is not known",
                "nested_dtype",
                expected: "float32",
                found: typeName
            )
        }
        let offset = Float(try json.double("nested_offset"))
        guard offset.isFinite else {
            throw error("the number is beyond float32", "nested_offset")
        }
        return offset
    }

    private static func error(
        _ message: String,
        _ key: Name,
        expected: String? = nil,
        found: String? = nil
    ) -> CheckpointError {
        CheckpointError(
            .quantState,
            message,
            key: key.text,
            expected: expected,
            found: found
        )
    }
}

extension BlockwiseInt8State {
    /// Reads a state.
    /// - Throws: `quant.state`, or `quant.shape` for an impossible shape.
    init(parsing bytes: [UInt8]) throws(CheckpointError) {
        do throws(CheckpointError) {
            let json = try JSONObject(parsing: bytes)
            let version = try json.integer("version")
            guard version == Self.version else {
                throw CheckpointError(
                    .quantState,
                    "another version of the layout of 8-bit blocks",
                    expected: "\(Self.version)",
                    found: "\(version)"
                )
            }
            guard json.members.count == 4,
                let blockSize = BlockSize(rawValue: try json.integer("blocksize")),
                let dtype = FloatDType(rawValue: try json.string("dtype"))
            else {
                throw CheckpointError(.quantState, "keys or values that are not known")
            }
            self.blockSize = blockSize
            self.dtype = dtype
            (rowCount, columnCount) = try QuantizationState.shape(json)
        } catch  where error.code != .quantShape && error.code != .quantState {
            throw CheckpointError(.quantState, "no valid state: \(error.message)", key: error.key)
        }
    }
}

internal import CheckpointIO
internal import Tensors

/// What a checkpoint holds, weight by weight: the codes, scales and tables of a quantized weight
/// count together.
struct Inspection: Sendable {
    /// One weight, or one tensor that belongs to none.
    struct Item: Sendable {
        /// The name of the tensor with the numbers.
        let name: Name
        /// How it is stored: a type of the file, or the format of a quantized weight.
        var type: String
        /// The dimensions of the weight; empty for a scalar.
        var shape: [Int]
        /// The numbers it stands for.
        var elementCount: Int
        /// The bytes it takes in its file, before any compression.
        var storedByteCount: Int
        /// The file it is in.
        let file: String

        /// Bits for one number; nil without numbers.
        var bitsPerWeight: Double? {
            elementCount > 0 ? Double(storedByteCount) * 8 / Double(elementCount) : nil
        }
    }

    /// All items of one type.
    struct Total: Sendable {
        let type: String
        var itemCount = 0
        var elementCount = 0
        var storedByteCount = 0
    }

    /// The weights, in the order of the files.
    private(set) var items: [Item] = []

    /// Groups the tensors of a checkpoint.
    init(_ tensors: [TensorView]) {
        var positions: [Name: Int] = [:]
        var sides: [(TensorView, owner: Name, part: String)] = []
        for tensor in tensors {
            let description = tensor.description
            if let (owner, part) = Inspection.owner(of: description.name) {
                sides.append((tensor, owner, part))
                continue
            }
            positions[description.name] = items.count
            items.append(Item(tensor))
        }
        for (tensor, owner, part) in sides {
            guard let position = positions[owner] else {
                items.append(Item(tensor))
                continue
            }
            items[position].add(tensor, part: part)
        }
    }

    /// All numbers.
    var elementCount: Int { items.reduce(0) { $0 + $1.elementCount } }
    /// All bytes of tensors, before compression.
    var storedByteCount: Int { items.reduce(0) { $0 + $1.storedByteCount } }

    /// The types, largest first.
    var totals: [Total] {
        var totals: [Total] = []
        for item in items {
            let index = totals.firstIndex { $0.type == item.type } ?? totals.count
            if index == totals.count { totals.append(Total(type: item.type)) }
            totals[index].itemCount += 1
            totals[index].elementCount += item.elementCount
            totals[index].storedByteCount += item.storedByteCount
        }
        return totals.sorted {
            ($0.storedByteCount, $1.type) > ($1.storedByteCount, $0.type)
        }
    }

    /// Splits the name of a scale or a table into its weight and what it is.
    private static func owner(of name: Name) -> (Name, String)? {
        let text = name.text
        for part in [
            "absmax", "quant_map", "nested_absmax", "nested_quant_map",
            "quant_state.bitsandbytes__nf4", "quant_state.bitsandbytes__fp4",
        ] where text.hasSuffix("." + part) {
            return (Name(String(text.dropLast(part.count + 1))), part)
        }
        for part in ["SCB", "weight_format"] where text.hasSuffix("." + part) {
            return (Name(text.dropLast(part.count) + "weight"), part)
        }
        return nil
    }
}

extension Inspection.Item {
    fileprivate init(_ tensor: TensorView) {
        let description = tensor.description
        self.init(
            name: description.name,
            type: tensor.storedType,
            shape: description.shape,
            elementCount: description.elementCount,
            storedByteCount: tensor.storedByteCount,
            file: tensor.fileName
        )
    }

    /// Counts a scale, a table or a state in, and takes from it what it says of the weight.
    fileprivate mutating func add(_ tensor: TensorView, part: String) {
        storedByteCount += tensor.storedByteCount
        switch part {
        case "SCB": type = "int8"
        case "nested_absmax": type += "-dq"
        default:
            guard part.hasPrefix("quant_state."), let state = Inspection.state(tensor) else {
                return
            }
            let isNested = type.hasSuffix("-dq")
            type = part.suffix(3) + (state.blockSize == 64 ? "" : "/\(state.blockSize)")
            if isNested { type += "-dq" }
            shape = state.shape
            elementCount = state.shape.reduce(1, *)
        }
    }
}

extension Inspection {
    /// What the state of a 4-bit weight says; nil if it says nothing sound, which `verify` reports.
    fileprivate static func state(_ tensor: TensorView) -> (shape: [Int], blockSize: Int)? {
        let count = tensor.description.elementCount
        guard tensor.description.dtype == .uint8, count <= 1 << 16 else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        do {
            try bytes.withMutableRawSpan { (span) throws(CheckpointError) in
                try tensor.read(0..<count, into: &span)
            }
            let state = try JSONObject(parsing: bytes)
            let shape = try state.array("shape").compactMap { value -> Int? in
                guard case .number(let number) = value, let length = number.integer,
                    (1...1 << 40).contains(length)
                else { return nil }
                return length
            }
            guard shape.count == 2, !shape[0].multipliedReportingOverflow(by: shape[1]).overflow
            else { return nil }
            return (shape, try state.integer("blocksize"))
        } catch {
            return nil
        }
    }
}
